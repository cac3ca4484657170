"""Inputs for both networks by NumPy alone: voices of gliding pitch in noise. Recordings of your own are better."""

from __future__ import annotations

import numpy as np

RATE = 16_000
"""Samples in a second."""


def voice(random: np.random.Generator, seconds: float) -> np.ndarray:
    """A sound that glides in pitch, of harmonics that two moving formants shape, in syllables and noise."""
    time = np.arange(int(RATE * seconds)) / RATE
    knots = np.arange(0, seconds + 0.3, 0.15)  # where a syllable may begin

    def moving(low: float, high: float) -> np.ndarray:
        return np.interp(time, knots, random.uniform(low, high, len(knots)))

    pitch = random.uniform(80, 350) * 2 ** moving(-0.4, 0.4)  # Hz
    formants, width = (moving(250, 900), moving(900, 2800)), random.uniform(80, 250)
    phase, sound = 2 * np.pi * np.cumsum(pitch) / RATE, np.zeros(len(time))
    for number in range(1, 30):
        heard = sum(1 / (1 + ((number * pitch - formant) / width) ** 2) for formant in formants)
        sound += (heard + 0.02) * (number * pitch < RATE / 2) * np.sin(number * phase + random.uniform(0, 6.28))
    sound = sound / sound.std() * moving(0, 1) + random.normal(size=len(time)) * 10 ** random.uniform(-3, -0.5)
    return np.asarray(sound)


def frames(random: np.random.Generator) -> np.ndarray:
    """One frame of 1,024 samples as torchcrepe makes it: mean 0, deviation 1."""
    sound = voice(random, 1024 / RATE)
    return (sound - sound.mean()) / sound.std(ddof=1)


def mels(random: np.random.Generator) -> np.ndarray:
    """1.6 seconds as Resemblyzer makes them: at -30 dBFS, powers of 160 frames in 40 mel bands, not logarithms."""
    sound = voice(random, 1.6)
    sound = np.pad(sound / np.sqrt(np.mean(sound**2)) * 10 ** (-30 / 20), 200)
    windows = np.lib.stride_tricks.sliding_window_view(sound, 400)[::160][:160] * np.hanning(401)[:400]
    return np.abs(np.fft.rfft(windows)) ** 2 @ _bands().T


def _bands() -> np.ndarray:
    """The 40 triangles over 201 frequencies, equally spaced in mels: linear up to 1 kHz, then logarithmic."""
    mel = np.linspace(0, 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4), 42)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))  # Hz
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    frequency = np.linspace(0, RATE / 2, 201)
    rise, fall = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    return np.asarray(np.maximum(0, np.minimum(rise, fall)) * 2 / (high - low))


if __name__ == "__main__":
    random = np.random.default_rng(0)
    np.savez("frames.npz", np.float32([frames(random) for _ in range(2000)]))
    np.savez("mels.npz", np.float32([mels(random) for _ in range(400)]))

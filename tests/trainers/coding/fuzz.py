"""Mutates ``.rfz`` files under limits of memory and time, and prints as JSON what opening them did.

    python -m tests.trainers.coding.fuzz SEED NUM_FILES FILE...

Run as a process of its own, because a blown limit ends it.
"""

from __future__ import annotations

import collections
import json
import random
import resource
import sys
import time
import warnings
import zlib
from pathlib import Path

import torch

from trainers.coding.bytestream import RfzError
from trainers.compressed import load_compressed, open_compressed

MAX_PARAMETERS = 100_000
ADDRESS_SPACE_BYTES = 1 << 32
"""The limit of memory; torch alone maps most of it."""
CPU_S = 120


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Make one to four small damages, most of them in the header, where a few bytes decide much."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        position = rng.randrange(min(len(out), rng.choice([40, 150, 10**9]))) if out else 0
        kind = rng.randrange(7)
        if kind == 0 and out:
            out[position] ^= 1 << rng.randrange(8)
        elif kind == 1 and out:
            out[position] = rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind == 2:
            del out[position : position + rng.choice([1, 2, 4, 1000])]
        elif kind == 3:
            out[position:position] = rng.randbytes(rng.choice([1, 4, 40]))
        elif kind == 4:  # a number grows
            out[position : position + 1] = b"\xff" * rng.randrange(1, 9) + b"\x7f"
        elif kind == 5:
            out[position:position] = rng.choice(
                # zeros, digits, nested lists, a negative number, floats, half a character, a mapping, two constants
                [
                    b"\0" * 4,
                    b"9999",
                    b"\x0c" * 9,
                    b"\x09",
                    b"\x2b1e999",
                    b"\x1bnan",
                    b"\x1a\xed\xa0\x80",
                    b"\x0d",
                    b"\x0b\x03",
                ]
            )
        elif len(out) > 8:
            start = rng.randrange(len(out) - 4)
            out[position : position + 4] = out[start : start + 4]
    return bytes(out)


def sealed(data: bytes) -> bytes:
    """``data`` with a checksum that fits: a valid one is no defence."""
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def decoded(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, in its network where it has one."""
    opened = open_compressed(path, max_parameters=MAX_PARAMETERS)
    if opened.is_weights_only:
        return opened.state_dict()
    return load_compressed(path, max_parameters=MAX_PARAMETERS).state_dict()


def main(seed: int, num_files: int, paths: list[str]) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    originals = [Path(path).read_bytes() for path in paths]
    for path in paths:
        decoded(Path(path))  # everything is loaded and warm
    base_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    rng = random.Random(seed)
    target = Path(paths[0]).with_name("mutant.rfz")
    outcomes: collections.Counter[str] = collections.Counter()
    messages: set[str] = set()
    wrong: list[str] = []
    slowest_s = 0.0
    for index in range(num_files):
        data = mutate(rng.choice(originals), rng)
        if index % 10:
            data = sealed(data)
        target.write_bytes(data)
        started = time.perf_counter()
        try:
            tensors = decoded(target)
            outcomes["decoded"] += 1
            if not all(t.isfinite().all() for t in tensors.values() if t.is_floating_point()):
                wrong.append(f"{data.hex()}: decoded to NaN or infinity")
        except RfzError as error:
            outcomes["refused"] += 1
            messages.add(str(error).replace(str(target), "")[:40])
            if "\n" in str(error) or not str(error).isprintable():
                wrong.append(f"{data.hex()}: no single line: {error!r}")
        except BaseException as error:  # a panic is not an Exception
            wrong.append(f"{data.hex()}: {type(error).__name__}: {error}")
        slowest_s = max(slowest_s, time.perf_counter() - started)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base_kb
    print(
        json.dumps(
            {
                **outcomes,
                "wrong": wrong[:5],
                "num_wrong": len(wrong),
                "num_messages": len(messages),
                "slowest_s": slowest_s,
                "grown_mb": grown_kb / 1000,
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

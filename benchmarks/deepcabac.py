"""The same integers coded by us and by NNCodec's DeepCABAC (ISO/IEC 15938-17): bytes and seconds.

    python -m venv peer && peer/bin/pip install nncodec==2.1.3
    python -m benchmarks.deepcabac --python peer/bin/python

NNCodec is a measuring instrument here: it needs an environment of its own, in which this file runs once more. The
integers are those of two trained ResNets for CIFAR-10 (``models/`` in RATEFRONT_DATA), each layer rounded to multiples
of a step in units of its deviation, as ``ecq`` does; and those of the two committed files of a ResNet-20.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Arrays = dict[str, npt.NDArray[np.int32]]
_STEPS = (0.5, 0.25)
_RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="the Python of an environment that has nncodec", required=True)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement")
    arguments = parser.parse_args()
    import torch

    from benchmarks.report import print_machine, print_table

    torch.set_num_threads(1)
    print_machine(torch.device("cpu"))
    rows, sums = [], np.zeros(2)
    for name, arrays in {**rounded_checkpoints(), **committed_files()}.items():
        own = ours(arrays, arguments.rounds)
        theirs = in_peer(arguments.python, arrays, arguments.rounds)
        sums += (own["bytes"], theirs["bytes"])
        num_values = sum(array.size for array in arrays.values())
        seconds = [f"{one[part]:.3f}" for part in ("write_s", "read_s") for one in (own, theirs)]
        ratio = own["bytes"] / theirs["bytes"]
        rows.append(
            [name, f"{num_values:,}", f"{own['bytes']:,.0f}", f"{theirs['bytes']:,.0f}", f"{ratio:.3f}", *seconds]
        )
    rows.append(["sum", "", f"{sums[0]:,.0f}", f"{sums[1]:,.0f}", f"{sums[0] / sums[1]:.3f}", *[""] * 4])
    heads = ["", "integers", "bytes, ours", "DeepCABAC", "ratio", "write s, ours", "NNCodec", "read s, ours", "NNCodec"]
    print_table(f"integers alone; seconds of the processor, n = {arguments.rounds}", heads, rows)


def rounded_checkpoints() -> dict[str, Arrays]:
    import torch

    found = {}
    for path in sorted((Path(os.environ["RATEFRONT_DATA"]) / "models").glob("*.th")):
        state = torch.load(path, map_location="cpu", weights_only=False)
        weights = {name: tensor.double().numpy() for name, tensor in state["state_dict"].items() if tensor.ndim > 1}
        for step in _STEPS:
            found[f"{path.stem.split('-')[0]}, step {step}"] = {
                name: (weight / (step * weight.std())).round().astype(np.int32) for name, weight in weights.items()
            }
    return found


def committed_files() -> dict[str, Arrays]:
    from trainers.architectures.base import layout_of
    from trainers.coding import container
    from trainers.coding.sections import Integers
    from trainers.compressed import open_compressed

    found = {}
    for path in sorted((_RESULTS / "resnet20_cifar10_finetune").glob("**/*.rfz")):
        tensors = container.read(path.read_bytes(), layout_of(open_compressed(path).plain)).tensors
        found[path.stem] = {name: one.values for name, one in tensors.items() if isinstance(one, Integers)}
    return found


def ours(arrays: Arrays, num_rounds: int) -> dict[str, float]:
    """Our bytes without the header, and seconds of whole files."""
    from trainers.coding import container
    from trainers.coding.sections import Entry, Integers, Sections

    layout = [Entry(name=name, shape=array.shape, dtype="float32") for name, array in arrays.items()]
    sections = Sections(tensors={name: Integers(values=a, table=i) for i, (name, a) in enumerate(arrays.items())})
    header = container.Header(method="ecq", method_version=1, architecture="any")
    write_s, data = timed(lambda: container.write(header, layout, sections), num_rounds)
    read_s, contents = timed(lambda: container.take_apart(data, layout), num_rounds)
    for name, array in arrays.items():
        np.testing.assert_array_equal(contents.sections.tensors[name].values, array)
    size = sum(share.size_bytes for share in contents.account() if share.part in ("tensor", "table", "rounding"))
    return {"bytes": size, "write_s": write_s, "read_s": read_s}


def in_peer(python: str, arrays: Arrays, num_rounds: int) -> dict[str, float]:
    """Run ``peer`` in the other environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "integers.npz"
        # short names, which its stream holds; each weight as outputs by inputs
        matrices: Any = {str(i): a.reshape(len(a), -1) for i, a in enumerate(arrays.values())}
        np.savez(path, **matrices)
        command = [python, str(Path(__file__).resolve()), str(path), str(num_rounds)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def peer(path: Path, num_rounds: int) -> dict[str, float]:
    """DeepCABAC's bytes, and seconds of its coder, in an environment that has it."""
    import torch
    from nncodec.nn import decode, encode

    torch.set_num_threads(1)
    arrays = dict(np.load(path))
    settings = {"use_dq": False, "verbose": False, "results": str(path.parent), "model": "integers"}
    write_s, stream = timed(lambda: encode(arrays, args=dict(settings)), num_rounds)
    read_s, found = timed(lambda: decode(stream, args=dict(settings)), num_rounds)
    for name, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(found[name]).reshape(array.shape), array)
    return {"bytes": len(stream), "write_s": write_s, "read_s": read_s}


def timed(call: Callable[[], T], num_rounds: int) -> tuple[float, T]:
    """The median of the seconds of this process on the CPU, after one call that warms it."""
    result, taken = call(), []
    for _ in range(num_rounds):
        started = time.process_time()
        result = call()
        taken.append(time.process_time() - started)
    return float(np.median(taken)), result


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".npz"):
        print(json.dumps(peer(Path(sys.argv[1]), int(sys.argv[2]))))
    else:
        main()

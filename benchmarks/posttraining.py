"""Trained networks compressed without a training: whole files beside NNCodec's (ISO/IEC 15938-17) at equal KL.

    python -m benchmarks.posttraining                                      # ours, beside NNCodec's recorded files
    python -m benchmarks.posttraining --figure results/posttraining_resnet20/nncodec.svg    # of recorded points alone
    python -m venv peer && peer/bin/pip install nncodec==2.1.3 torchvision
    python -m benchmarks.posttraining --record --python peer/bin/python    # NNCodec's files, measured anew

The networks are the two trained ResNets for CIFAR-10 (``models/`` in RATEFRONT_DATA). KL is D(given network || decoded
network) in nats on the 10,000 test images, which chose no setting of ours. NNCodec gets what favours it: batch norms
reduced by hand to a scale and a shift for each channel at a fine step (``nonweight_qp`` -40), dependent quantisation,
``opt_qp`` on and off, all steps from 16 to 30; its curve is the lower envelope of all.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

    from analysis.fronts.pareto import Front
    from trainers.preparation import Prepared
    from trainers.tasks.base import Task

_RECORDED = Path(__file__).with_name("posttraining_nncodec.csv")
_RESULTS = Path(__file__).resolve().parents[1] / "results" / "posttraining_resnet20"
_QPS = {False: (-24, -22, -20, -18, -16), True: (-30, -28, -26, -24, -22, -20, -18)}
_NETWORKS = ("resnet20_cifar10", "resnet32_cifar10")
_STEPS = [0.6, 0.75, 0.9, 1.05, 1.2, 1.4, 1.65, 1.9, 2.2]
_OF_DEVIATIONS = [0.2, 0.25, 0.35, 0.5, 0.75]
OURS: dict[str, dict[str, Any]] = {
    "obs": {"name": "obs", "steps": _STEPS},
    "obs, one pass": {"name": "obs", "steps": _STEPS, "propagation": 0.0},
    "obs, Gaussian inputs": {"name": "obs", "steps": _STEPS, "calibration": "gaussian"},
    "obs, inputs from batch norms": {"name": "obs", "steps": _STEPS, "calibration": "batch_norm"},
    "obs, no data": {"name": "obs", "steps": _STEPS, "calibration": "none"},
    "ecq": {"name": "ecq", "steps": _OF_DEVIATIONS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=OURS, default=list(OURS), metavar="METHOD")
    parser.add_argument("--steps", nargs="+", type=float, help="in place of the grids of obs")
    parser.add_argument("--networks", nargs="+", choices=_NETWORKS, default=_NETWORKS)
    parser.add_argument("--record", action="store_true", help="measure NNCodec's files, and write them down")
    parser.add_argument("--python", help="with --record: the Python of an environment that has nncodec")
    parser.add_argument("--figure", type=Path, help="draw the points of results/posttraining_resnet20, and no more")
    arguments = parser.parse_args()
    if arguments.figure:
        draw(arguments.figure)
        return
    import torch

    from benchmarks.report import print_machine, print_table
    from trainers.config import Spec
    from trainers.instantiate import make_task

    print_machine(torch.device("cpu"))
    task = make_task(Spec(name="cifar10"))
    if arguments.record:
        record(arguments.python, arguments.networks, task)
        return
    for network in arguments.networks:
        anchor = _envelope([(int(row["size_bytes"]), float(row["kl"])) for row in _recorded(network)])
        rows = []
        for method in arguments.methods:
            chosen = {"steps": arguments.steps} if arguments.steps and method.startswith("obs") else {}
            started, points = time.process_time(), []
            for point_id, size, kl, accuracy, made_s in ours(network, {**OURS[method], **chosen}, task):
                points.append((size, kl))
                rows.append([method, point_id, f"{size:,}", f"{kl:.4f}", f"{accuracy:.2%}", f"{made_s:.1f}"])
                print("  ".join(rows[-1]), flush=True)
            rows.append([method, "BD-rate", _against(anchor, points), "", "", f"{time.process_time() - started:.0f}"])
        print_table(f"{network}, 10,000 test images", ["", "", "bytes", "KL", "accuracy", "processor s"], rows)


def prepared(network: str, method: Mapping[str, Any], task: Task) -> Prepared:
    """The trial that compresses a known network without a training."""
    import torch

    from trainers.config import Spec, TrialConfig
    from trainers.preparation import prepare

    config = TrialConfig(
        task=Spec(name="cifar10"),
        architecture=Spec(name="resnet_cifar", arguments={"depth": int(network[6:8])}),
        method=Spec.from_dict("method", method),
        steps=0,
        init_from=network,
    )
    return prepare(config, torch.device("cpu"), task)


def ours(network: str, method: Mapping[str, Any], task: Task) -> Iterator[tuple[str, int, float, float, float]]:
    """Yield (point, bytes, KL, accuracy, processor seconds of making and coding it) of each file, decoded."""
    from trainers.arrange import arrange
    from trainers.coding import container
    from trainers.compressed import open_bytes
    from trainers.fidelity import Given
    from trainers.networks.parametrizations import duplicate

    trial = prepared(network, method, task)
    given = Given(duplicate(trial.model).eval(), task.test, task)
    points = iter(trial.method.points(trial.model, trial.context))
    while True:
        started = time.process_time()
        found = next(points, None)
        if found is None:
            return
        data = container.write(trial.header, trial.layout, arrange(found[1], trial.context.free_groups))
        made_s = time.process_time() - started
        measured, fidelity = given.compare(open_bytes(data).network())
        assert fidelity.kl is not None
        yield found[0], len(data), fidelity.kl, measured.quality, made_s


def _recorded(network: str) -> list[dict[str, str]]:
    with _RECORDED.open() as stream:
        return [row for row in csv.DictReader(stream) if row["network"] == network]


def _envelope(points: list[tuple[int, float]]) -> Front:
    """The front of least KL, on a logarithmic axis."""
    from analysis.fronts.pareto import Front

    sizes, divergences = (np.array(column, np.float64) for column in zip(*points, strict=True))
    return Front.of(sizes, np.log10(divergences), maximise=False)


def _against(anchor: Front, points: list[tuple[int, float]]) -> str:
    from analysis.fronts.bd_rate import bd_rate

    delta = bd_rate(anchor, _envelope(points))
    return f"{delta.pchip:+.1f} % (overlap {delta.overlap:.0%})"


def draw(path: Path) -> None:
    """Draw accuracy on test over bytes of the recorded files of a ResNet-20, ours and NNCodec's."""
    from matplotlib.figure import Figure

    from analysis.drawing.axes import draw_frame, draw_size_axis
    from analysis.drawing.legend import marker
    from analysis.drawing.picture import picture
    from analysis.drawing.style import COLOURS, INK, MARKERS

    with (_RESULTS / "points.csv").open() as stream:
        rows = [(row["method"], int(row["size_bytes"]), float(row["quality"])) for row in csv.DictReader(stream)]
    rows += [("NNCodec", int(row["size_bytes"]), float(row["accuracy"])) for row in _recorded(_NETWORKS[0])]
    figure = Figure(figsize=(5.5, 3.6), layout="constrained", dpi=150)
    axes = figure.add_subplot()
    for colour, symbol, name in zip(COLOURS, MARKERS, ("obs", "ecq", "ptq", "NNCodec"), strict=False):
        points = sorted((size, 100 * accuracy) for method, size, accuracy in rows if method == name)
        best = [point for index, point in enumerate(points) if point[1] > max([0, *(y for _, y in points[:index])])]
        axes.plot(*zip(*best, strict=True), color=colour, linewidth=1.2)
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=0, label=name, **marker(symbol, 0.8))
    axes.axhline(91.73, color="#777777", linewidth=0.8, linestyle="--", label="given network, 1,085 kB")
    draw_size_axis(axes, (32e3, 170e3), most_ticks=7)
    axes.set_ylim(84, 92.5)
    axes.set_xlabel("File size", fontsize=8, color=INK)
    axes.set_ylabel("Test accuracy (%)", fontsize=8, color=INK)
    draw_frame(axes, 8)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.set_title("ResNet-20 on CIFAR-10 without a training", fontsize=9, loc="left", color=INK)
    path.write_bytes(picture(figure, "svg" if path.suffix == ".svg" else "png"))


def record(python: str, networks: list[str], task: Task) -> None:
    """Encode the networks with NNCodec, measure what its files decode to, and write the numbers down."""
    import torch

    from trainers.fidelity import Given
    from trainers.networks.parametrizations import duplicate

    with _RECORDED.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["network", "qp", "opt_qp", "size_bytes", "kl", "accuracy"])
        for network in networks:
            model = prepared(network, {"name": "ecq"}, task).model
            given = Given(duplicate(model).eval(), task.test, task)
            with tempfile.TemporaryDirectory() as folder:
                np.savez(Path(folder) / "given.npz", **_reduced(model))  # type: ignore[arg-type]
                command = [python, str(Path(__file__).resolve()), folder]
                subprocess.run(command, cwd=folder, check=True)
                for row in json.loads((Path(folder) / "files.json").read_text()):
                    arrays = np.load(Path(folder) / row["path"])
                    _load_reduced(model, {name: torch.from_numpy(arrays[name]) for name in arrays})
                    measured, fidelity = given.compare(model)
                    on = "yes" if row["opt_qp"] else "no"
                    writer.writerow(
                        [network, row["qp"], on, row["size_bytes"], f"{fidelity.kl:.5f}", f"{measured.quality:.4f}"]
                    )


def _reduced(model: nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """The network's tensors, with a scale and a shift in place of each batch norm."""
    from trainers.networks.norms import batch_norms, fold_norms

    norms = batch_norms(model)
    state = {**model.state_dict(), **fold_norms(norms, model.state_dict())}
    kept = [name for name in state if name.rpartition(".")[2] in ("weight", "bias")]
    return {name: state[name].numpy() for name in kept}


def _load_reduced(model: nn.Module, values: Mapping[str, Any]) -> None:
    from trainers.networks.norms import batch_norms, fold_norms

    folded = {**model.state_dict(), **fold_norms(batch_norms(model), model.state_dict())}
    model.load_state_dict({**folded, **{name: values[name].reshape(folded[name].shape) for name in values}})
    model.eval()


def peer(folder: Path) -> None:
    """NNCodec's files, in an environment that has it: ``files.json``, and what each file decodes to."""
    from nncodec.nn import decode, encode

    arrays = dict(np.load(folder / "given.npz"))
    rows = []
    for opt_qp, qps in _QPS.items():
        for qp in qps:
            settings = {"qp": qp, "nonweight_qp": -40, "opt_qp": opt_qp, "verbose": False, "results": str(folder)}
            stream = encode(dict(arrays), args={**settings, "model": "given"})
            found = decode(stream, args={**settings, "model": "given"})
            path = f"{qp}-{opt_qp}.npz"
            np.savez(folder / path, **{name: np.asarray(value) for name, value in found.items()})
            rows.append({"qp": qp, "opt_qp": opt_qp, "size_bytes": len(stream), "path": path})
    (folder / "files.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    if len(sys.argv) == 2 and Path(sys.argv[1]).is_dir():
        peer(Path(sys.argv[1]))
    else:
        main()

"""The command that compresses a network that somebody has, without a training."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.files import MaxParameters
from orchestrator.commands.options import Json, allow_own_modules, check_writable, write_out
from orchestrator.commands.weights import compress_weights

if TYPE_CHECKING:
    from trainers.compression.goals import Goal
    from trainers.compression.subject import Subject
    from trainers.config import Spec
    from trainers.sources import Source

_SUFFIX = ".rfz"
_MOST_VALUES = 1 << 24
"""The values of an example, where its shape alone is given."""


def compress(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="A file (.pth, .pt, .th, .safetensors, .rfz), or a trained network's name; with --weights-only a "
            "file of tensors, or a folder of safetensors.",
        ),
    ],
    architecture: Annotated[
        str | None,
        typer.Option(
            help="As a sweep file has it: a name, module:callable, or {name: ..., ...}; a .rfz says its own.",
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What it is calibrated and measured on; as --architecture.", show_default=False),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Instead: an .npz or .safetensors with one array of ready inputs.", show_default=False
        ),
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(
            help="With --calibration: classes if one row of outputs is of logits (default), or numbers.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[str, typer.Option(help="obs, ecq or ptq; or a mapping with its settings.")] = "obs",
    max_size: Annotated[str | None, typer.Option(help="The best file of so many bytes.", show_default=False)] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="The smallest file that loses so little quality on validation; without a task, agreement.",
            show_default=False,
        ),
    ] = None,
    max_kl: Annotated[
        float | None,
        typer.Option(min=0, help="The smallest file so near to the given network, in nats.", show_default=False),
    ] = None,
    steps_grid: Annotated[
        str | None,
        typer.Option(help="Steps to try, such as 0.5,0.7,1 (of ptq: bits); default: the method's.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.rfz", help="Default: beside the network.", show_default=False)
    ] = None,
    key: Annotated[str, typer.Option(help="The entry of the file that holds the network.", show_default=False)] = "",
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Names in the file that are left out; repeatable.", show_default=False),
    ] = None,
    no_data: Annotated[
        str | None,
        typer.Option(
            help="Without task and calibration: calibrate on gaussian or batch_norm inputs, or none (default).",
            show_default=False,
        ),
    ] = None,
    input_shape: Annotated[
        str | None, typer.Option(help="Of one example, without data; such as 3,32,32.", show_default=False)
    ] = None,
    max_examples: Annotated[
        int | None,
        typer.Option(min=1, help="Validation examples that measure each file; default: 2000.", show_default=False),
    ] = None,
    weights_only: Annotated[
        bool,
        typer.Option("--weights-only", help="Without an architecture and data: store the tensors as they are named."),
    ] = False,
    max_parameters: MaxParameters = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_json: Json = False,
) -> None:
    """Compress a trained network without a training, and write the file to ship.

    Example: `ratefront compress net.safetensors --architecture mynet:Net --calibration inputs.npz --out small.rfz`

    A known network, into a size: `ratefront compress resnet20_cifar10 --task cifar10 --max-size 60kB`

    Tensors of any network: `ratefront compress checkpoint.safetensors --weights-only --max-size 20MB`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.reports.compression import as_data, print_compressed
    from trainers.architectures.base import MAX_PARAMETERS
    from trainers.compression.candidates import test_quality
    from trainers.compression.compress import MOST_EXAMPLES
    from trainers.compression.compress import compress as compress_network
    from trainers.compression.knobs import check_method
    from trainers.sources import Source

    goal = _goal(max_size, max_loss, max_kl)
    target = _target(network, out)
    if weights_only:
        refused = {"--architecture": architecture, "--task": task, "--calibration": calibration, "--max-loss": max_loss}
        refused |= {"--outputs": outputs, "--max-kl": max_kl, "--no-data": no_data, "--input-shape": input_shape}
        refused |= {"--max-examples": max_examples, "--max-parameters": max_parameters}
        _refuse_beside_weights_only({**refused, "--device": None if device == "cpu" else device})
        with _Shown() as shown, _wrong_files_end():
            show = compress_weights(
                network,
                target,
                method=method,
                max_bytes=goal.max_size_bytes,
                steps_grid=steps_grid,
                key=key,
                ignore=ignore or (),
                as_json=as_json,
                say=shown.say,
            )
        show()
        return
    source = Source(path=network, key=key, ignore=tuple(ignore or ()))
    asked = _spec("method", method)
    check_method(asked)
    values = None if steps_grid is None else _values(steps_grid, asked)
    with _Shown() as shown:
        subject = _subject(
            source,
            architecture,
            task,
            calibration,
            asked,
            no_data,
            input_shape,
            outputs,
            device=device,
            max_parameters=max_parameters or MAX_PARAMETERS,
            shown=shown,
        )
        with _wrong_files_end():
            found = compress_network(
                subject,
                goal,
                values=values,
                most_examples=max_examples or MOST_EXAMPLES,
                said=shown.say,
                made=shown.count,
            )
        write_out(target, found.shipped.data)
        shown.say("measuring on test examples")
        tested = test_quality(subject, found.shipped)
    given = source.path if source.to_dict() == source.path else None
    if as_json:
        typer.echo(json.dumps(as_data(found, subject, target, tested), indent=1))
    else:
        print_compressed(found, subject, target, open_console(), tested=tested, task=task, given=given)


@contextlib.contextmanager
def _wrong_files_end() -> Iterator[None]:
    """End the command with one line where a file does not decode to what was meant."""
    from trainers.guard import StoredWronglyError

    try:
        yield
    except StoredWronglyError as error:
        typer.echo(f"ratefront: {error}", err=True)
        raise typer.Exit(1) from None


def _refuse_beside_weights_only(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"got --weights-only and {name}: tensors alone are not run, give one of them")


def _goal(max_size: str | None, max_loss: float | None, max_kl: float | None) -> Goal:
    from trainers.compression.goals import Goal
    from trainers.sizes import parse_size

    given = {"--max-size": max_size, "--max-loss": max_loss, "--max-kl": max_kl}
    said = [name for name, value in given.items() if value is not None]
    if len(said) > 1:
        raise ValueError(f"got {' and '.join(said)}: give one of them")
    for name, value in (("--max-loss", max_loss), ("--max-kl", max_kl)):
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} is {value}: wanted a number")
    size = None if max_size is None else parse_size(max_size)
    return Goal(max_size_bytes=size, max_loss=max_loss, max_kl=max_kl)


def _target(network: str, out: Path | None) -> Path:
    from trainers.pretrained import PRETRAINED

    given = Path(network).expanduser()
    if network in PRETRAINED or given.is_dir():  # what follows a dot in its name is no suffix
        given = given.resolve() if given.is_dir() else given
        target = out or given.with_name(f"{given.name}{_SUFFIX}")
    else:
        target = out or given.with_suffix(_SUFFIX)
    if target.suffix != _SUFFIX:
        raise ValueError(f"--out is {target}: wanted a name that ends in {_SUFFIX}")
    if target.absolute() == Path(network).expanduser().absolute() or (
        target.exists() and Path(network).exists() and target.samefile(network)
    ):
        raise ValueError(f"{target} is the given network: wanted --out with another name")
    check_writable(target, option="--out", is_file=True)
    return target


def _spec(kind: str, text: str) -> Spec:
    from orchestrator.sweep.yaml_text import parse_yaml
    from trainers.config import Spec
    from trainers.model_folder import without_folder

    return without_folder(Spec.from_dict(kind, parse_yaml(text, source=f"--{kind}")))


def _subject(
    source: Source,
    architecture: str | None,
    task: str | None,
    calibration: Path | None,
    method: Spec,
    no_data: str | None,
    input_shape: str | None,
    outputs: str | None,
    *,
    device: str,
    max_parameters: int,
    shown: _Shown,
) -> Subject:
    """The network and what it is measured on; all that is wrong with either is said here."""
    from trainers.compression import evidence as evidences
    from trainers.compression import subject as subjects

    if task is not None and calibration is not None:
        raise ValueError("got --task and --calibration: give one of them")
    has_data = task is not None or calibration is not None
    for option, value in (("--no-data", no_data), ("--input-shape", input_shape)):
        if value is not None and has_data:
            raise ValueError(f"got {option} and {'--task' if task else '--calibration'}: give one of them")
    if outputs not in (None, "classes", "numbers"):
        raise ValueError(f"--outputs is {outputs!r}: wanted classes or numbers")
    if outputs is not None and calibration is None:
        other = "a task says what outputs are" if task is not None else "without data no outputs are compared"
        raise ValueError(f"--outputs is for --calibration: {other}")
    if no_data not in (None, "none", "gaussian", "batch_norm"):
        raise ValueError(f"--no-data is {no_data!r}: wanted gaussian, batch_norm or none")
    allow_own_modules()
    found = subjects.find_network(source, None if architecture is None else _spec("architecture", architecture))
    if found is None:
        raise ValueError(
            f"{source.path} holds tensors, not the network that they are of: say --architecture, such as mynet:Net or "
            "'{name: resnet_cifar, depth: 20}', or --weights-only to store the tensors alone"
        )
    shape = _shape(input_shape) if input_shape is not None else None if has_data else subjects.known_shape(found)
    shown.say("loading examples" if has_data else "building the network")
    evidence = evidences.find_evidence(
        task=None if task is None else _spec("task", task),
        calibration=calibration,
        input_shape=shape,
        of_classes=outputs != "numbers",
    )
    if not has_data:
        method = evidences.method_without_data(method, no_data or "none", evidence)
    shown.say("building the network")
    return subjects.open_subject(source, found, method, evidence, device=_device(device), max_parameters=max_parameters)


def _shape(text: str) -> list[int]:
    sizes = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 9 and int(part) for part in sizes):
        raise ValueError(f"--input-shape is {text!r}: wanted whole numbers from 1, such as 3,32,32")
    shape = [int(part) for part in sizes]
    if math.prod(shape) > _MOST_VALUES:
        raise ValueError(f"--input-shape is {text!r}, {math.prod(shape)} values: wanted at most {_MOST_VALUES}")
    return shape


def _values(text: str, method: Spec) -> list[float]:
    from trainers.compression.knobs import KNOBS
    from trainers.instantiate import make_method

    knob = KNOBS[method.name]
    try:
        values = [float(part) if knob.is_list else int(part) for part in text.split(",")]
    except ValueError:
        kind = "numbers, such as 0.5,0.7,1" if knob.is_list else "whole numbers, such as 3,4,6"
        raise ValueError(f"--steps-grid is {text!r}: wanted {kind}") from None
    if len(set(values)) < len(values):
        raise ValueError(f"--steps-grid is {text!r}: wanted each once")
    for spec in knob.settings(method, values):
        make_method(spec)
    return values


def _device(text: str) -> Any:
    import torch

    try:
        device = torch.device(text)
        torch.empty(0, device=device).cpu()  # meta has no values
    except Exception as error:  # torch raises many kinds
        raise ValueError(f"--device is {text!r}: wanted cpu, or cuda where there is a GPU") from error
    return device


class _Shown:
    """A bar on the standard error, where that is a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        from orchestrator.commands.console import open_console

        console = open_console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._files = self._bar.add_task("reading", total=None)

    def __enter__(self) -> _Shown:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def say(self, doing: str) -> None:
        self._bar.update(self._files, description=doing)

    def count(self, num_made: int, num_values: int) -> None:
        self._bar.update(self._files, completed=num_made, total=num_values)

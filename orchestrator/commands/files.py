"""Commands that work on one compressed file: inspect, decode, recode, evaluate."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import Json, allow_own_modules, check_writable, write_out

if TYPE_CHECKING:
    from trainers.compressed import Opened

File = Annotated[Path, typer.Argument(metavar="FILE.rfz", help="A compressed network.")]
OwnArchitecture = Annotated[
    str | None,
    typer.Option("--architecture", metavar="MODULE:CALLABLE", help="Your own architecture.", show_default=False),
]
MaxParameters = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse a larger network before memory is taken.", show_default=False),
]
MaxSeconds = Annotated[
    float | None, typer.Option(help="Refuse a file that takes longer to decode.", show_default=False)
]


def inspect(
    file: File,
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
    as_json: Json = False,
) -> None:
    """Show what a file holds and where its bytes go; the rows add up to its length.

    Example: `ratefront inspect sweeps/digits-1a2b3c4d/trials/0003-epr-s0/point.rfz`
    """
    from rich.markup import escape
    from rich.table import Table

    from orchestrator.commands.console import open_console
    from trainers.echo import shortened

    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        shares = opened.account()
    if as_json:
        rows = [
            {"part": share.part, "name": share.name, "kind": share.kind, "size_bytes": share.size_bytes}
            for share in shares
        ]
        header = {
            "method": opened.header.method,
            "architecture": opened.header.architecture,
            "arguments": opened.header.arguments,
            "size_bytes": len(opened.data),
        }
        typer.echo(json.dumps({**header, "shares": rows}, indent=1))
        return
    tensors = opened.plain.state_dict()
    uncompressed = sum(tensor.nbytes for tensor in tensors.values())
    table = Table(box=None, header_style="bold")
    table.add_column("part")
    table.add_column("name")
    table.add_column("kind")
    for column in ("shape", "bytes", "share", "bits/value"):
        table.add_column(column, justify="right")
    for share in shares:
        tensor = tensors.get(share.name) if share.part == "tensor" else None
        shape = "x".join(map(str, tensor.shape)) or "scalar" if tensor is not None else ""
        bits = f"{8 * share.size_bytes / tensor.numel():.3f}" if tensor is not None and tensor.numel() else ""
        portion = f"{share.size_bytes / len(opened.data):.1%}"
        table.add_row(share.part, escape(share.name), share.kind, shape, f"{share.size_bytes:,.1f}", portion, bits)
    table.add_section()
    table.add_row("total", "", "", "", f"{sum(share.size_bytes for share in shares):,.1f}", "100.0%", "", style="bold")
    console = open_console()
    arguments = ", ".join(f"{key}={shortened(json.dumps(value))}" for key, value in opened.header.arguments.items())
    of_what = "the plain network's"
    if opened.is_weights_only:
        arguments, of_what = f"{len(tensors)}, without a network", "the tensors'"
    console.print(
        escape(
            f"{file}: method {opened.header.method} {opened.header.method_version}, "
            f"architecture {opened.header.architecture}({arguments})"
        ),
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{len(opened.data):,} bytes, {uncompressed / len(opened.data):,.1f} times smaller than {of_what} "
        f"{uncompressed:,}\n",
        highlight=False,
    )
    console.print(table)


def decode(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Default: beside the file, as .safetensors; or .pt, as torch.save; or .png, the image.",
            show_default=False,
        ),
    ] = None,
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="The most pixels of a .png; default: 2^26.", show_default=False)
    ] = None,
) -> None:
    """Write the decoded plain state_dict as safetensors, with tied tensors once, or as torch.save does; or the picture.

    Example: `ratefront decode point.rfz --out network.safetensors`

    A file of a network that represents an image is drawn: `ratefront decode point.rfz --out picture.png`

    A checkpoint that was compressed without its architecture is written under all the names that it had.
    """
    from trainers.tensor_files import PICKLES, pickle_bytes, safetensors_bytes

    target = out or file.with_suffix(".safetensors")
    check_writable(target, option="--out", is_file=True)
    from trainers import rendering

    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        if target.suffix in rendering.SUFFIXES:
            most = rendering.MAX_PIXELS if max_pixels is None else max_pixels
            header = opened.header
            picture = rendering.picture_of(opened.network(), header.architecture, header.arguments, max_pixels=most)
            write_out(target, rendering.png_bytes(picture))
            typer.echo(f"{target}: {picture.shape[1]} x {picture.shape[0]} pixels")
            return
        tensors = opened.state_dict()
    if opened.is_weights_only:  # nobody knows which names are tied but the file: each is written
        tensors = {name: tensor.detach() for name, tensor in tensors.items()}
    write_out(target, (pickle_bytes if target.suffix in PICKLES else safetensors_bytes)(tensors))
    once = {id(tensor): tensor for tensor in tensors.values()}
    typer.echo(f"{target}: {len(once)} tensors, {sum(tensor.numel() for tensor in once.values()):,} values")


def recode(
    file: File,
    out: Annotated[Path, typer.Option(metavar="NEW.rfz", help="Where the new file is written.")],
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
) -> None:
    """Write a file anew in the newest version of the format: the same network, usually in fewer bytes.

    Example: `ratefront recode point.rfz --out smaller.rfz`
    """

    check_writable(out, option="--out", is_file=True)
    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        data = opened.recoded()
    write_out(out, data)
    typer.echo(f"{out}: {len(data):,} bytes in format version {data[3]}; {file} has {len(opened.data):,}")


def evaluate(
    file: File,
    task: Annotated[
        str,
        typer.Option(metavar="TASK", help="As a sweep file has it: a name, module:callable, or {name: ..., ...}."),
    ],
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    given: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="Also measure how near it is to this network: a file, or a trained network's name, as init_from.",
            show_default=False,
        ),
    ] = None,
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
    as_json: Json = False,
) -> None:
    """Decode a file and measure its quality.

    Example: `ratefront evaluate point.rfz --task digits`

    A task with arguments: `--task '{name: "two_moons:moons", noise: 0.3}'`

    How near to the network that it was made of: `--given net.pth`

    Where the task is one signal, such as an image, there is no split: quality is that of the signal itself.
    """
    from analysis.signals import FITTED, format_rate, rate_name
    from analysis.units import format_quality, quality_words
    from orchestrator.sweep.yaml_text import parse_yaml
    from trainers.config import Spec
    from trainers.data.examples import TaskError, few
    from trainers.evaluate import measure
    from trainers.fidelity import Fidelity, Given
    from trainers.instantiate import check_tokens, make_task, measuring
    from trainers.lookup import one_line
    from trainers.networks.calling import other_type
    from trainers.pretrained import given_network

    if split not in ("test", "validation", "train"):
        raise ValueError(f"--split is {split!r}: wanted test, validation or train")
    allow_own_modules()
    spec = Spec.from_dict("task", parse_yaml(task, source="--task"))
    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        data = make_task(measuring(spec, opened.header.arguments))
        check_tokens(data, opened.architecture, opened.header.arguments)
        network = opened.network()
    reference = given_network(given, opened.header, opened.architecture, field="--given") if given else None
    examples, near = getattr(data, split), Fidelity()
    try:
        if reference is None:
            measured = measure(network, examples, data)
        else:
            measured, near = Given(reference, examples, data).compare(network)
    except TaskError as error:
        raise ValueError(f"task {task!r}, {split}: {error}") from error
    except Exception as error:  # torch raises many kinds where shapes do not fit
        hint = other_type(network, few(examples, 1).inputs)
        raise ValueError(
            f"the network of {file} does not run on task {task!r} ({one_line(error)}{hint}): wanted "
            " the task that it was trained on, with its arguments"
        ) from error
    fidelity = {name: value for name, value in vars(near).items() if value is not None}
    quality, others = measured.quality, measured.others
    qualities = {data.quality_name: quality, **others}
    signal = data.signal
    rate = 8 * len(opened.data) / signal.count if signal else math.nan
    if as_json:
        where = {"split": "fitted", rate_name(signal.unit): rate} if signal else {"split": split}
        row = {"file": str(file), "size_bytes": len(opened.data), **where, data.quality_name: quality}
        more = {**({"others": others} if others else {}), **({"fidelity": fidelity} if given else {})}
        typer.echo(json.dumps({**row, **more}))
        return
    if signal:
        found = [f"{quality_words(name)} {format_quality(value, name)}" for name, value in qualities.items()]
        near_words = [f"{name} {value:.4g}" for name, value in fidelity.items()]
        shown = ", ".join([f"{format_rate(rate)} bits/{signal.unit}", *found, *near_words])
        typer.echo(f"{file}: {len(opened.data):,} bytes, {shown}; {FITTED}")
        return
    words = "".join(f", {name} {value:.4g}" for name, value in {**others, **fidelity}.items())
    typer.echo(f"{file}: {len(opened.data):,} bytes, {data.quality_name} {quality:.4f}{words} on {split}")


@contextlib.contextmanager
def opened_file(
    file: Path, architecture: str | None, max_parameters: int | None, max_seconds: float | None
) -> Iterator[Opened]:
    """A file to be decoded; on a terminal a bar shows how far that is."""
    from rich.progress import Progress

    from orchestrator.commands.console import open_console
    from trainers.architectures.base import MAX_PARAMETERS
    from trainers.compressed import RfzError, open_compressed
    from trainers.echo import printable
    from trainers.lookup import NotImportedError, import_callable

    allow_own_modules()
    own = import_callable("architecture", architecture) if architecture else None
    console = open_console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    reading = bar.add_task(f"reading {printable(file.name)}", total=1.0)
    try:
        opened = open_compressed(
            file,
            architecture=own,
            max_parameters=MAX_PARAMETERS if max_parameters is None else max_parameters,
            max_seconds=math.inf if max_seconds is None else max_seconds,
            show=lambda share: bar.update(reading, completed=share),
        )
        with bar:
            yield opened
    except RfzError as error:
        if isinstance(error.__cause__, NotImportedError):
            found = error.__cause__
            raise ValueError(f"{file}: {found.said}; if you trust it, say --architecture {found.name}") from error
        raise

"""The command that makes of a compressed file what runs elsewhere: a program in C, a model of ONNX."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.files import File, MaxParameters, MaxSeconds, OwnArchitecture, opened_file
from orchestrator.commands.options import check_writable, write_out

if TYPE_CHECKING:
    from trainers.compressed import Opened

_SUFFIX = ".onnx"


class Form(StrEnum):
    """What a file may become."""

    C = "c"
    ONNX = "onnx"


def bundle(
    file: File,
    to: Annotated[Form, typer.Option("--to", help="A program in C99, or a model of ONNX.")],
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="A folder for the program; a file NAME.onnx for the model.")
    ],
    input_shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W", help="The shape of one example, where the architecture has none.", show_default=False
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="ONNX: weights as int8 where the file's integers fit, others as floats.")
    ] = False,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="ONNX: measure the model on the test split of this task, which also gives inputs to trace it with.",
            show_default=False,
        ),
    ] = None,
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
) -> None:
    """Make of a file what runs its network without ratefront, compared with PyTorch: a program in C, a model of ONNX.

    Example: `ratefront bundle point.rfz --to c --out folder`, then in the folder the line that it prints.

    For onnxruntime: `ratefront bundle point.rfz --to onnx --int8 --task mnist --out net.onnx`

    A network of your own: `--architecture mynet:Net --input-shape 3,32,32`
    """
    shape = _shape(input_shape) if input_shape is not None else None
    is_onnx = to is Form.ONNX
    for option, given in (("--int8", int8), ("--task", task is not None)):
        if given and not is_onnx:
            raise ValueError(f"{option} is for --to onnx: a program in C has the file itself, and checks itself")
    if shape is not None and task is not None:
        raise ValueError("--input-shape and --task both say what an example is: leave one of them out")
    if is_onnx and out.suffix != _SUFFIX:
        raise ValueError(f"--out is {out}: wanted a file that ends in {_SUFFIX}")
    check_writable(out, option="--out", is_file=is_onnx)
    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        try:
            if is_onnx:
                _write_onnx(opened, out, shape, task, int8=int8)
            else:
                _write_program(opened, out, shape)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error


def _write_program(opened: Opened, out: Path, shape: Sequence[int] | None) -> None:
    from trainers.bundling.c_program import COMPILATION, bundle

    made = bundle(opened, shape)
    for name, content in made.files.items():
        write_out(out / name, content)
    of_what = f"a network of {made.file_bytes:,} bytes that takes {made.ram_bytes:,} bytes of memory"
    typer.echo(f"{out}: {len(made.files)} files of {of_what}\ncd {shlex.quote(str(out))} && {COMPILATION} && ./check")


def _write_onnx(opened: Opened, out: Path, shape: Sequence[int] | None, task: str | None, *, int8: bool) -> None:
    import torch

    from orchestrator.sweep.yaml_text import parse_yaml
    from trainers.bundling.input_shape import shape_of
    from trainers.bundling.onnx_file import onnx_model
    from trainers.config import Spec
    from trainers.data.examples import few
    from trainers.evaluate import measure
    from trainers.instantiate import check_tokens, make_task, measuring
    from trainers.seeding import derive

    data = None
    if task is not None:
        data = make_task(measuring(Spec.from_dict("task", parse_yaml(task, source="--task")), opened.header.arguments))
        check_tokens(data, opened.architecture, opened.header.arguments)
        example = few(data.train, 2).inputs
    else:
        try:
            size = shape_of(opened, shape)
        except ValueError as error:
            raise ValueError(f"{error}, or --task") from error
        generator = torch.Generator().manual_seed(derive(0, "bundle"))
        example = torch.randn(2, *size, generator=generator)
    model = onnx_model(opened, example, int8=int8)
    write_out(out, model.data)
    held = f"{model.num_int8:,} of {model.num_weights:,} weights as int8" if int8 else "float32"
    typer.echo(
        f"{out}: {len(model.data):,} bytes, {held}, of a file of {len(opened.data):,}; outputs are within "
        f"{model.error:.0e} of PyTorch's largest"
    )
    if data is not None:
        found = measure(model.network(), data.test, data)
        words = "".join(f", {name} {value:.4g}" for name, value in found.others.items())
        where = "fitted" if data.signal else "on test"
        typer.echo(f"{data.quality_name} {found.quality:.4f}{words} {where}, run by onnxruntime")


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--input-shape is {text!r}: wanted numbers from 1, such as 3,32,32")
    return tuple(int(part) for part in parts)

"""The command that makes a program of a compressed file."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.files import File, MaxParameters, MaxSeconds, OwnArchitecture, opened_file
from orchestrator.commands.options import check_writable, write_out


class Form(StrEnum):
    """What a file may become."""

    C = "c"


def bundle(
    file: File,
    to: Annotated[Form, typer.Option("--to", help="A program in C99.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the program is written.")],
    input_shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W", help="The shape of one example, where the architecture has none.", show_default=False
        ),
    ] = None,
    architecture: OwnArchitecture = None,
    max_parameters: MaxParameters = None,
    max_seconds: MaxSeconds = None,
) -> None:
    """Write a program that runs a file's network without Python, and checks itself against PyTorch.

    Example: `ratefront bundle point.rfz --to c --out folder`, then in the folder the line that it prints.

    A network of your own: `--architecture mynet:Net --input-shape 3,32,32`
    """
    shape = _shape(input_shape) if input_shape is not None else None
    check_writable(out, option="--out")
    from trainers.bundling.c_program import COMPILATION, bundle

    with opened_file(file, architecture, max_parameters, max_seconds) as opened:
        try:
            made = bundle(opened, shape)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    for name, content in made.files.items():
        write_out(out / name, content)
    of_what = f"a network of {made.file_bytes:,} bytes that takes {made.ram_bytes:,} bytes of memory"
    typer.echo(f"{out}: {len(made.files)} files of {of_what}\ncd {shlex.quote(str(out))} && {COMPILATION} && ./check")


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--input-shape is {text!r}: wanted numbers from 1, such as 3,32,32")
    return tuple(int(part) for part in parts)

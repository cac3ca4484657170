"""The command that measures codecs on the image of a task."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer

from orchestrator.commands.options import Json, check_writable


def codecs(
    task: Annotated[
        str, typer.Option(metavar="TASK", help="As a sweep file has it, such as '{name: image, file: x.png}'.")
    ],
    codec: Annotated[str, typer.Option(help="jpeg, webp or avif, or several with commas.")] = "jpeg,webp,avif",
    out: Annotated[Path, typer.Option(help="Folder for points.csv and the files.")] = Path("codecs"),
    as_json: Json = False,
) -> None:
    """Measure JPEG, WebP and AVIF on the image of a task, or on several, to be drawn beside a sweep's frontier.

    Example: `ratefront codecs --task '{name: image, file: x.png, shrink: 2}' --out x.codecs`

    Then `ratefront compare photo x.codecs/ --out compare` draws them beside the sweep `photo`.
    """
    from orchestrator.reports.codecs import measure_codecs
    from orchestrator.search.space import SpecSpace
    from orchestrator.sweep.resolve import resolve_spec
    from orchestrator.sweep.yaml_text import parse_yaml
    from trainers import checks
    from trainers.codecs import OPTIONS
    from trainers.config import Spec

    names = [name.strip() for name in codec.split(",")]
    for name in names:
        checks.choice("--codec", name, tuple(OPTIONS))
    check_writable(out, option="--out", is_file=False)
    resolved = resolve_spec("task", SpecSpace.from_dict("task", parse_yaml(task, source="--task")))  # as sweeps do
    found = measure_codecs(Spec.from_dict("task", resolved.to_dict()), list(dict.fromkeys(names)), out)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    for name in dict.fromkeys(names):
        some = [one for one in found if one.codec == name]
        ends = [[one for one in some if one.quality == end.quality] for end in (some[0], some[-1])]
        smallest, largest = (
            f"{fmean(one.size_bytes for one in end):,.0f} bytes at {fmean(one.psnr_db for one in end):.2f} dB"
            for end in ends
        )
        means = f", means over {len(ends[0])} images" if some[0].file else ""
        typer.echo(f"{name}: {len(some)} files, from {smallest} to {largest}{means}")
    typer.echo(f"{out}: files and points.csv; 'ratefront compare SWEEP {out}/' draws them beside a sweep")

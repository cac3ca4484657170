"""The command that writes a sweep as a page: report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import (
    NoPublished,
    PublishedFile,
    TrackingUri,
    UiUrl,
    check_writable,
    published_files,
    tracking_uri_or_default,
    write_out,
)


def report(
    sweep: Annotated[str, typer.Argument(help="Id or name.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("report.html"),
    tracking_uri: TrackingUri = None,
    ui_url: UiUrl = None,
    published: PublishedFile = None,
    no_published: NoPublished = False,
) -> None:
    """Write a sweep as one HTML page that needs no network: the answer, figures, files to ship, how it was made.

    Example: `ratefront report digits --out report.html`
    """
    from orchestrator.reports.page import report_of
    from trainers.echo import printable

    check_writable(out, option="--out", is_file=True)
    files = published_files(published, no_published)

    def damaged(line: str) -> None:
        typer.echo(f"ratefront: {printable(line)}", err=True)

    page = report_of(tracking_uri_or_default(tracking_uri), sweep, ui_url=ui_url, published=files, damaged=damaged)
    if page is None:
        typer.echo(f"ratefront: sweep {sweep!r} has no finished point yet: nothing to report", err=True)
        raise typer.Exit(1)
    write_out(out, page.encode())
    typer.echo(f"{out}: {len(page.encode()) / 1e6:.1f} MB, opens in any browser, without a network")

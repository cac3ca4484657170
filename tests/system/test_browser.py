"""The interactive figure in a real browser, from the file system and without a network."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

from tests.console import Finished

pytestmark = pytest.mark.system

# no background traffic: a closed network would refuse many connections at a time
CHROMIUM = [
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
]


def browse(tmp_path: Path, url: str, *options: str) -> str:
    shown = subprocess.run(
        [*CHROMIUM, f"--user-data-dir={tmp_path / 'profile'}", *options, url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return shown.stdout


def test_the_interactive_figure_draws_every_configuration(finished: Finished, tmp_path: Path) -> None:
    page = finished.sweep_directory / "frontier" / "frontier.html"
    rows = list(csv.DictReader((page.parent / "frontier.csv").read_text().splitlines()))
    dom = browse(tmp_path, page.as_uri(), "--dump-dom")
    drawn = re.findall(r'<path class="point[ "]', dom)
    assert len(drawn) >= len(rows), "a configuration is missing from the figure"
    picture = tmp_path / "frontier.png"
    browse(tmp_path, page.as_uri(), f"--screenshot={picture}", "--window-size=1200,800")
    assert picture.stat().st_size > 10_000


def test_the_interactive_figure_fills_the_window(finished: Finished, tmp_path: Path) -> None:
    source = (finished.sweep_directory / "frontier" / "frontier.html").read_text()
    page = tmp_path / "frontier.html"
    say = "setTimeout(() => { document.title = `window ${innerWidth} x ${innerHeight}` }, 1000)"
    page.write_text(source.replace("</body>", f"<script>{say}</script></body>"))
    dom = browse(tmp_path, page.as_uri(), "--dump-dom", "--window-size=1200,800")
    (window,) = re.findall(r"<title>window (\d+) x (\d+)</title>", dom)
    drawn = re.search(r'<svg class="main-svg"[^>]* width="(\d+)" height="(\d+)"', dom)
    assert drawn is not None
    assert drawn.groups() == window


def test_the_interactive_figure_asks_nothing_of_a_network(finished: Finished) -> None:
    page = (finished.sweep_directory / "frontier" / "frontier.html").read_text()
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="?https?://', page)

"""Chromium for tests of pages; what was seen is kept in build/screenshots."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # whatever a page needs is here
]


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, "Chromium is not installed: say sh tests/system/install.sh"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield browser
        browser.close()

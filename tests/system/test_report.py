"""The report in a real browser, from the file system and without a network: on screen, on paper, without a script.

What was seen is kept in build/screenshots.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.console import Finished, call
from tests.system.browsing import SCREENSHOTS

pytestmark = pytest.mark.system

POINT = ".scatterlayer path.point"


@pytest.fixture(scope="module")
def report(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    said = call(finished.folder, "report", "tiny", "--out", str(file))
    assert said.returncode == 0, said.stderr
    return file


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    yield context.new_page()
    context.close()


def test_it_is_drawn_offline_and_nothing_leaves(page: Page, report: Path, finished: Finished) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(report.as_uri())
    page.wait_for_selector(POINT, state="attached")
    rows = list(csv.DictReader((finished.sweep_directory / "frontier" / "frontier.csv").read_text().splitlines()))
    assert page.locator(POINT).count() >= len(rows)
    for anchor in page.locator("nav a").all():
        anchor.click()
    page.locator("summary").last.click()
    assert page.get_by_text("learning_rate:").first.is_visible()
    page.screenshot(path=SCREENSHOTS / "report.png", full_page=True)
    assert asked == [report.as_uri()]
    assert complaints == []


def test_it_is_no_wider_than_the_window(page: Page, report: Path) -> None:
    for width in (1200, 700, 400):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(report.as_uri())
        page.wait_for_selector(POINT, state="attached")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=SCREENSHOTS / "report_narrow.png", full_page=True)


def test_paper_has_the_drawn_figure_and_the_whole_file(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.wait_for_selector(POINT, state="attached")
    paper = page.pdf(path=SCREENSHOTS / "report.pdf", prefer_css_page_size=True)
    assert 4 <= len(re.findall(rb"/Type\s*/Page\b", paper)) <= 20
    page.emulate_media(media="print")
    assert page.locator(".static svg").is_visible()
    assert not page.locator(".interactive").is_visible()
    assert page.get_by_text("learning_rate:").first.is_visible(), "what is folded is not printed"


def test_without_a_script_the_figure_is_there(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator(".static svg").is_visible()
    assert not page.locator(".interactive").is_visible()
    context.close()

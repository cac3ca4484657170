"""MLflow's UI in a real browser, on the links that ``ratefront ui`` prints: columns, filters, charts, note, artifacts.

What was seen is kept in build/screenshots.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Browser, Page, expect

from tests.console import NUM_FAILED, NUM_TRIALS, PROGRAM, Finished, clean_environment
from tests.system.browsing import SCREENSHOTS
from tests.system.serving import free_port

pytestmark = pytest.mark.system

NUM_POINTS, NUM_SEEDS = NUM_TRIALS - NUM_FAILED, 2
PATIENCE_MS = 60_000
POINT, CURVE = ".scatterlayer path.point", ".scatterlayer path.js-line"  # as plotly draws them
ROW = ".ag-center-cols-container .ag-row"


@pytest.fixture(scope="module")
def links(finished: Finished) -> Iterator[dict[str, str]]:
    """The links that ``ratefront ui`` prints, while it serves."""
    process = subprocess.Popen(
        [PROGRAM, "ui", "tiny", "--no-open", "--port", str(free_port())],
        cwd=finished.folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tiny-")
        yield dict(process.stdout.readline().split() for _ in range(4))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=600)


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a browser that was here before: at a first visit MLflow covers a third of it with an assistant."""
    context = browser.new_context(viewport={"width": 1600, "height": 1300})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    context.add_init_script("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')")
    page = context.new_page()
    try:
        yield page
        page.wait_for_timeout(1000)  # what moves comes to rest
    finally:
        page.screenshot(path=SCREENSHOTS / f"{request.node.name.removeprefix('test_')}.png")
        context.close()


@pytest.fixture(scope="module")
def runs(finished: Finished) -> list:
    client = MlflowClient(finished.tracking_uri)
    experiment = client.get_experiment_by_name("tiny")
    return list(client.search_runs([experiment.experiment_id]))


def tagged(runs: list, tag: str) -> list:
    return [run for run in runs if run.data.tags.get(tag) == "true"]


def test_the_frontier_is_a_table_with_columns(page: Page, links: dict[str, str], runs: list) -> None:
    page.goto(links["frontier"])
    expect(page.locator(ROW)).to_have_count(len(tagged(runs, "ratefront.pareto")))
    shown = page.locator(".ag-header-cell-text").all_inner_texts() + page.locator(".ag-header-cell").all_inner_texts()
    for name in ("size_bytes", "accuracy_val", "accuracy", "compression_ratio", "architecture", "method", "seed"):
        assert any(text.strip() == name for text in shown), (name, shown)
    smallest = min(run.data.metrics["size_bytes"] for run in tagged(runs, "ratefront.pareto"))
    assert f"{smallest:.0f}" in page.locator(ROW).first.inner_text().split()


def test_all_points_are_one_click_away(page: Page, links: dict[str, str]) -> None:
    page.goto(links["frontier"])
    page.get_by_role("button", name=re.compile("tiny-.*: frontier")).click()
    page.get_by_text(re.compile("^tiny-.*: points$")).click()
    expect(page.get_by_text(f"{NUM_POINTS} matching runs")).to_be_visible()


def test_charts_draw_every_point(page: Page, links: dict[str, str], runs: list) -> None:
    page.goto(links["charts"])
    expect(page.locator(POINT)).to_have_count(2 * NUM_POINTS)  # over test, and over validation
    expect(page.locator(".parcoords")).to_have_count(1)  # for epr's lam: in this sweep ptq's bits do not vary
    wanted = sorted(run.data.tags["mlflow.runColor"].lower() for run in tagged(runs, "ratefront.point"))
    colours = page.locator(POINT).evaluate_all("points => points.map(point => getComputedStyle(point).fill)")
    assert sorted(map(as_hex, colours)) == sorted(2 * wanted)


def test_means_are_drawn_over_seeds(page: Page, links: dict[str, str]) -> None:
    page.goto(links["charts"].replace("-points", "-means"))
    expect(page.locator(POINT)).to_have_count(2 * NUM_POINTS // NUM_SEEDS)


def test_curves_are_drawn_of_every_trial_that_trained(page: Page, links: dict[str, str]) -> None:
    page.goto(links["curves"])
    # every curve of each metric twice, with marks and without; failed trials had diverged before their first report
    expect(page.locator(CURVE)).to_have_count(3 * 2 * NUM_POINTS)


def test_a_link_without_views_finds_the_points(page: Page, links: dict[str, str], finished: Finished) -> None:
    from orchestrator.tracking.ui.links import unprepared

    base, _, rest = links["sweep"].partition("/#/experiments/")
    page.goto(unprepared(base, rest.partition("/")[0], finished.sweep_directory.name))
    expect(page.get_by_text(f"{NUM_POINTS} matching runs")).to_be_visible()
    expect(page.locator(ROW)).to_have_count(NUM_POINTS)


def test_runs_are_compared_by_parallel_coordinates_and_scatter(page: Page, links: dict[str, str], runs: list) -> None:
    base, _, rest = links["sweep"].partition("/#/experiments/")
    ids = json.dumps([run.info.run_id for run in tagged(runs, "ratefront.point")])
    experiments = json.dumps([rest.partition("/")[0]])
    page.goto(f"{base}/#/compare-runs?runs={quote(ids)}&experiments={quote(experiments)}&workflowType=machine_learning")
    expect(page.locator(".parcoords, .parcoords-line-layers").first).to_be_attached()
    page.get_by_role("tab", name="Scatter Plot").click()
    drawn = "() => document.querySelector('.js-plotly-plot')?.data?.find(trace => trace.type == 'scattergl')?.x.length"
    page.wait_for_function(f"wanted => ({drawn})() == wanted", arg=NUM_POINTS)  # on a canvas: there is no path to count


def test_the_note_explains_the_sweep_and_leads_to_its_charts(page: Page, links: dict[str, str]) -> None:
    page.goto(links["sweep"])
    page.get_by_text("Show more", exact=True).first.click()
    expect(page.get_by_text(f"{NUM_POINTS} of {NUM_TRIALS} trials finished")).to_be_visible()
    picture = page.locator("img[src*='frontier.svg']")
    page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
    box, margin = picture.bounding_box(), page.get_by_text("About this run").bounding_box()
    assert box["x"] + box["width"] < margin["x"], "the picture is cut off"
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="charts", exact=True).click()
    expect(opened.value.locator(POINT)).to_have_count(2 * NUM_POINTS)


def test_the_interactive_figure_is_drawn_among_the_artifacts(page: Page, links: dict[str, str]) -> None:
    page.goto(links["sweep"].replace("?", "/artifacts/frontier/frontier.html?"))
    drawn = page.frame_locator("iframe").locator(POINT)
    expect(drawn.first).to_be_attached()
    assert drawn.count() >= NUM_POINTS // NUM_SEEDS


def test_the_report_is_drawn_among_the_artifacts(page: Page, links: dict[str, str]) -> None:
    page.goto(links["sweep"].replace("?", "/artifacts/report/report.html?"))
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("The best you can ship")).to_be_attached()
    expect(frame.locator(POINT).first).to_be_attached()


def test_the_picture_is_drawn_among_the_artifacts(page: Page, links: dict[str, str]) -> None:
    page.goto(links["sweep"].replace("?", "/artifacts/frontier/frontier.png?"))
    expect(page.get_by_text("frontier/frontier.png").first).to_be_visible()
    expect(page.locator("img[src^='blob:'], .image-outer-container img").first).to_be_visible()


def test_points_are_a_table_among_the_artifacts(page: Page, links: dict[str, str]) -> None:
    page.goto(links["sweep"].replace("?", "/artifacts/frontier/points.json?"))
    expect(page.get_by_text("uncompressed_bytes")).to_be_attached()
    expect(page.get_by_text("cnn(channels=[4])").first).to_be_visible()


def as_hex(colour: str) -> str:
    """The hexadecimal form of a colour such as ``rgb(0, 114, 178)``."""
    return "#" + "".join(f"{int(level):02x}" for level in re.findall(r"\d+", colour)[:3])

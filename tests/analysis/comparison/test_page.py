"""The page of a comparison draws the same as the figure, and no user's text becomes code."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from analysis.comparison.compare import compare
from analysis.comparison.figure import comparison_figure
from analysis.comparison.page import comparison_html
from tests.analysis.comparison.samples import side

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The traces that the page draws. The page itself is megabytes of plotly's script."""
    drawn: list[Any] = []

    def to_html(given: go.Figure, **_: Any) -> str:
        drawn.extend(given.data)
        return "<html><head></head></html>"

    monkeypatch.setattr(go.Figure, "to_html", to_html)
    return drawn


def test_lines_bands_and_files_are_those_on_paper(traces: list[Any]) -> None:
    found = compare({"a": side("a", spread=(0.9, 1.0, 1.2)), "b": side("b", spread=(1,))}, num_resamples=5)
    comparison_html(found, title="digits", ui_url="http://localhost:5000")
    (axes,) = comparison_figure(found, title="digits").axes
    paper = {gid: [line.get_xydata() for line in axes.lines if line.get_gid() == gid] for gid in ("front", "files")}
    lines = [trace for trace in traces if trace.mode == "lines" and trace.line.width > 0]
    files = [trace for trace in traces if trace.mode == "markers"]
    for shown, printed in ((lines, paper["front"]), (files, paper["files"])):
        for trace, points in zip(shown, printed, strict=True):
            np.testing.assert_allclose(np.column_stack([trace.x, trace.y]), points)
    assert [trace.line.shape for trace in lines] == ["hv", "hv"]
    (fill,) = [trace for trace in traces if trace.fill]
    assert fill.legendgroup == "a"
    urls = [url for trace in files for url in trace.customdata]
    assert len(urls) == sum(len(trace.x) for trace in files) == 12
    assert urls[0].startswith("http://localhost:5000/#/experiments/1/runs/run")
    assert urls[0].endswith("?workflowType=machine_learning")
    assert [trace.name for trace in lines] == ["a (anchor)", "b"]


def test_a_page_needs_no_network_and_runs_no_text() -> None:
    hostile = side("a", architecture=HOSTILE, config=HOSTILE, run_id=HOSTILE, experiment_id=HOSTILE)
    page = comparison_html(compare({HOSTILE: hostile, "b": side("b")}, num_resamples=5), title=HOSTILE)
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search(r"<(script|link)[^>]*\s(src|href)=", page)


def test_an_address_that_is_no_page_is_refused() -> None:
    found = compare({"a": side("a"), "b": side("b")}, num_resamples=5)
    with pytest.raises(ValueError, match="wanted an address that starts with http"):
        comparison_html(found, title="digits", ui_url="javascript:alert(1)")

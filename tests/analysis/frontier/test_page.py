"""The frontier's page has every configuration, and no user's text becomes code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.configurations.summary import summarise
from analysis.frontier.page import frontier_html
from tests.analysis.points.rows import frame, sweep

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.fixture
def plotly_figure(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The figure behind the page. The page itself is megabytes of plotly's script."""
    caught: dict[str, Any] = {}

    def to_html(figure: go.Figure, **_: Any) -> str:
        caught.update(figure.to_dict())
        return "<html><head></head></html>"

    monkeypatch.setattr(go.Figure, "to_html", to_html)
    return caught


def test_every_configuration_is_drawn_once_on_screen(plotly_figure: dict[str, Any]) -> None:
    points = sweep()
    configurations = summarise(points)
    frontier_html(configurations, points, title="digits", ui_url="http://localhost:5000/")
    urls = [url for trace in plotly_figure["data"] for url in trace.get("customdata", ())]
    base, workflow = "http://localhost:5000/#/experiments/1/runs", "?workflowType=machine_learning"
    expected = {f"{base}/{run_id}{workflow}" for run_id in configurations["file_run_id"]}
    assert len(urls) == len(configurations)
    assert set(urls) == expected


def test_hovering_shows_every_setting_and_what_failed(plotly_figure: dict[str, Any]) -> None:
    points = frame({"config_hash": "a"}, {"config_hash": "b", "num_failed": 2})
    frontier_html(summarise(points), points, title="digits")
    texts = [text for trace in plotly_figure["data"] for text in trace.get("hovertext", ())]
    front, other = sorted(texts, key=lambda text: "failed" in text)
    assert "<br>lam=0.3 steps=2000<br>" in front
    assert "on the frontier" in front
    assert "mean of 1 seed (2 more failed)" in other
    assert "a seed failed; this is seed 0" in other


def test_a_page_needs_no_network_and_runs_no_text() -> None:
    fields = ("architecture", "method", "config", "task", "sweep_id", "run_id", "experiment_id")
    points = frame(dict.fromkeys(fields, HOSTILE))
    page = frontier_html(summarise(points), points, title=HOSTILE, ui_url="http://localhost:5000")
    assert HOSTILE not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not re.search(r"<(script|link)[^>]*\s(src|href)=", page)


@settings(max_examples=20, deadline=None)
@given(st.text(st.sampled_from("<>&\"'/=a "), min_size=1, max_size=12))
def test_every_text_that_plotly_sees_is_escaped(text: str) -> None:
    points = frame({"architecture": text, "method": text, "config": text, "run_id": text})
    caught: dict[str, Any] = {}

    def to_html(figure: go.Figure, **_: Any) -> str:
        caught.update(figure.to_dict())
        return "<head>"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(go.Figure, "to_html", to_html)
        head = frontier_html(summarise(points), points, title=text)
    texts = [caught["layout"]["title"]["text"], head.partition("<title>")[2].partition("</title>")[0]]
    for trace in caught["data"]:
        texts += [trace.get("name") or "", (trace.get("legendgrouptitle") or {}).get("text", "")]
        texts += [hover for hovers in trace.get("hovertext", ()) for hover in re.split(r"<br>|</?b>", hovers)]
    assert not [shown for shown in texts if "<" in shown or ">" in shown]


def test_a_link_is_only_to_a_web_page() -> None:
    points = frame({})
    with pytest.raises(ValueError, match="http://"):
        frontier_html(summarise(points), points, title="digits", ui_url="javascript:alert(1)")

"""The page as a whole: complete, alone, and made of text."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest

import analysis.report.frontier
from analysis.report.page import CONTENTS, page
from tests.analysis.points.rows import frame, seeds
from tests.analysis.report.samples import material, measured, trial
from tests.analysis.report.test_markup import Reader, read
from tests.analysis.report.test_pictures import pictured

HOSTILE = "</script><script>alert('x')</script><img src=x onerror=alert(1)>$title"


@pytest.fixture
def without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plotly's script is megabytes, and the same in every page."""
    monkeypatch.setattr(analysis.report.frontier, "frontier_part", lambda *_, **__: "<div>the figure</div>")


@pytest.fixture(scope="module")
def whole() -> str:
    return page(material(pictures=[pictured()]))


def own(text: str) -> Reader:
    """The page without what is between script tags."""
    return read(re.sub(r"<script.*?</script>", "<script></script>", text, flags=re.DOTALL))


def test_every_part_is_there_once_and_is_linked(whole: str) -> None:
    reader = own(whole)
    ids = [attributes.get("id") for attributes in reader.attributes]
    links = [attributes.get("href") for attributes in reader.attributes]
    for anchor in CONTENTS:
        assert ids.count(anchor) == 1
        assert f"#{anchor}" in links
    named = [name for name in ids if name]
    assert len(named) == len(set(named))


def test_nothing_is_fetched_and_it_is_small(whole: str) -> None:
    reader = own(whole)
    assert len(whole.encode()) < 8_000_000
    for tag, attributes in zip(reader.tags, reader.attributes, strict=True):
        assert tag not in ("link", "iframe", "object", "embed", "audio", "video", "base"), attributes
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), attributes
    assert "@import" not in whole.partition("</style>")[0]
    assert "url(" not in whole.partition("</style>")[0]
    assert "default-src 'none'" in whole
    assert "plotly" in whole.lower()
    assert "<noscript>" in whole


def test_the_same_material_is_the_same_page(whole: str) -> None:
    assert page(material(pictures=[pictured()])) == whole


def test_no_text_of_a_users_own_becomes_markup(without_plotly: None) -> None:
    fields = ("architecture", "method", "config", "label", "task", "sweep_id", "run_id", "experiment_id", "path")
    points = pd.concat([measured(), frame({**dict.fromkeys(fields, HOSTILE), "config_hash": "h", "size_bytes": 1})])
    points = points.assign(task=HOSTILE)
    rows = [
        trial(row, outcome="failed", reason=HOSTILE, environment={HOSTILE: HOSTILE})
        for row in points.to_dict("records")
    ]
    document: dict[str, Any] = {
        "task": {"name": HOSTILE},
        "method": [{"name": HOSTILE, HOSTILE: {"choice": [HOSTILE]}}],
        "steps": HOSTILE,
        "batch_size": 1,
        "seeds": 1,
        "search": {"name": HOSTILE, HOSTILE: HOSTILE},
        "init_from": HOSTILE,
        "constraints": [HOSTILE],
    }
    made = page(
        material(
            points,
            trials=pd.DataFrame(rows),
            document=document,
            methods={HOSTILE: HOSTILE},
            sweep_file=HOSTILE,
            commit=HOSTILE,
        )
    )
    assert "<script>alert" not in made
    assert "<img src=x" not in made
    assert HOSTILE in own(made).text


@pytest.mark.parametrize(
    "points",
    [
        frame({}),
        frame({"num_failed": 1}),
        frame({"method": "uncompressed"}),
        frame({"quality": 0.0, "quality_val": 0.0, "train_s": 0.0}),
        frame({}, {"config_hash": "b", "quality": float("nan"), "quality_val": float("nan")}),
        frame({}, {"config_hash": "u", "method": "uncompressed"}, {"config_hash": "c", "num_failed": 1}),
        frame(
            *seeds("a", [100, 110], [31.0, 31.2], quality_name="psnr_db", quality=30.5),
            *seeds("b", [200, 210], [35.0, 35.2], quality_name="psnr_db", quality=34.5),
            *seeds("u", [900, 900], [36.0, 36.2], quality_name="psnr_db", quality=36.5, method="uncompressed"),
        ),
        frame(
            *seeds("a", [100, 110], [0.5, 0.4], quality_name="mse", maximise=False, quality=0.5),
            *seeds("b", [200, 210], [0.2, 0.1], quality_name="mse", maximise=False, quality=0.2),
        ),
    ],
    ids=["one", "failed", "plain", "zero", "nan", "mixed", "psnr", "mse"],
)
def test_a_page_is_made_of_whatever_was_measured(points: pd.DataFrame, without_plotly: None) -> None:
    assert page(material(points)).endswith("</html>\n")

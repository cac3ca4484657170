"""What is said of a task that is one signal: its quality is fitted, never test, in bits for each sample."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.comparison.compare import compare
from analysis.comparison.figure import comparison_figure
from analysis.comparison.page import comparison_html
from analysis.comparison.tables import comparison_tables
from analysis.comparison.verdict import verdicts
from analysis.configurations.summary import summarise, told
from analysis.drawing.axes import SizeUnit
from analysis.drawing.interactive import hover
from analysis.frontier.columns import IN_NOTE, IN_README, IN_REPORT, LOGGED, ON_TERMINAL, shown
from analysis.frontier.figure import frontier_figure
from analysis.frontier.page import frontier_html
from analysis.frontier.table import frontier_csv, frontier_table, others_table
from analysis.points.exported import read_points
from analysis.points.mlflow import as_frame
from analysis.report.page import page
from analysis.signals import FITTED, is_fitted, rate_of, rate_words
from orchestrator.reports.points import points_csv
from tests.analysis.report.samples import material
from tests.points import point
from trainers.record import OtherQuality, others_text

SIZES = {"a": (1000, 28.0), "b": (2000, 30.0), "c": (4000, 31.05), "d": (9000, 32.0)}
COUNT = 16_000


def points(method: str = "epr", *, factor: float = 1.0, count: int = COUNT) -> pd.DataFrame:
    """Three seeds of four configurations of a signal of ``count`` pixels."""
    similar = others_text({"ms_ssim": OtherQuality(maximise=True, quality=0.98765, quality_val=0.98765)})
    made = [
        point(
            sweep_id=f"photo-{method}", trial_id=f"{name}-{method}-s{seed}", config_hash=f"{method}{name}",
            seed=seed,
            task="image(file=x.png)", architecture="siren", method=method, size_bytes=int(factor * size) + seed - 1,
            quality=quality + 0.1 * (seed - 1), quality_val=quality + 0.1 * (seed - 1), quality_name="psnr_db",
            others=similar,
            signal_unit="pixel", signal_count=count, path=f"trials/{name}{seed}/point.rfz",
        )
        for name, (size, quality) in SIZES.items()
        for seed in (0, 1, 2)
    ]  # fmt: skip
    added = {"run_id": "r", "experiment_id": "0", "num_failed": 0, "directory": "/x", "params": json.dumps({})}
    rows = [{**vars(one), **added, "config": f"lam={one.config_hash}", "label": one.config_hash} for one in made]
    return as_frame(rows)


def text_of(table: object) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table)
    return " ".join(console.export_text().split())


def labels(figure: object) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg")  # type: ignore[attr-defined]
    return written.getvalue()


def test_a_configuration_has_its_bits_for_each_sample_named_by_the_unit() -> None:
    found = summarise(points())
    assert is_fitted(found)
    assert rate_of(found) == "bits_per_pixel"
    assert found["file_bits_per_pixel"].iloc[0] == pytest.approx(8 * 1000 / COUNT)
    assert found["bits_per_pixel_mean"].iloc[0] == pytest.approx(8 * 1000 / COUNT)
    assert rate_words(found.iloc[0].to_dict()) == "0.500 bits/pixel"
    assert {"signal_unit", "signal_count", "bits_per_pixel_mean"} <= set(told(found))
    assert {"signal_unit", "bits_per_pixel_mean"} <= set(pd.read_csv(io.StringIO(frontier_csv(found))))


@pytest.mark.parametrize("columns", [ON_TERMINAL, IN_NOTE, IN_REPORT, IN_README, LOGGED])
def test_tables_say_fitted_once_and_have_the_rate_beside_the_ratio(columns: tuple) -> None:
    found = summarise(points())
    kept = shown(columns, found)
    titles = [column.title("psnr_db") for column in kept]
    assert not [title for title in titles if "test" in title or "val" in title]
    assert titles.index("bits per pixel") == titles.index("ratio") + 1
    assert any("fitted" in title for title in titles)
    assert not [name for column in kept for name in column.values if "quality_val" in name]


def test_the_table_on_a_terminal_says_what_quality_is_of() -> None:
    found = summarise(points())
    said = text_of(frontier_table(found))
    assert FITTED in said
    assert "validation" not in said
    assert "test" not in said
    assert "PSNR: mean ± sd over seeds" in said
    beside = others_table(found)
    assert "fitted MS-SSIM" in text_of(beside)
    assert "0.9877" in text_of(beside)


def test_figures_have_decibels_over_bits_for_each_sample() -> None:
    given = points()
    figure = frontier_figure(summarise(given), given, title="photo")
    (axes,) = figure.axes
    assert axes.get_ylabel() == "PSNR (dB)"
    assert axes.get_xlabel() == "Bits per pixel"
    ticks = {text.get_text(): place for text, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert ticks["1"] == pytest.approx(COUNT / 8), "places along the axis are in bytes"
    html = frontier_html(summarise(given), given, title="photo")
    assert '"text":"Bits per pixel"' in html
    assert "fitted PSNR" not in html
    assert "Test psnr" not in html


def test_signals_of_several_sizes_are_drawn_over_bytes() -> None:
    both = pd.concat([points(), points("ptq", count=2 * COUNT)])
    assert SizeUnit.of(both) == SizeUnit()
    assert SizeUnit.of(points()).bits_per == "pixel"
    assert SizeUnit.of(points().head(0)) == SizeUnit()
    assert SizeUnit.of(points().assign(signal_count=0, signal_unit="")) == SizeUnit()


def test_what_hovers_says_fitted_once() -> None:
    said = hover(summarise(points()).iloc[0].to_dict())
    assert "fitted 28.00 dB" in said
    assert "0.500 bits/pixel" in said
    assert "fitted: ms_ssim 0.9877" in said
    assert "test" not in said
    assert "validation" not in said


def test_comparisons_are_in_bytes_at_equal_decibels_and_in_decibels_at_equal_bytes() -> None:
    found = compare({"jpeg": points("jpeg", factor=2.0), "epr": points()}, num_resamples=20)
    assert found.is_fitted
    assert found.against[0].rate.pchip == pytest.approx(-50, abs=0.2)
    said = " ".join(map(text_of, comparison_tables(found)))
    assert "BD-PSNR" in said
    assert "fitted PSNR" in said
    assert "test" not in said
    assert f"{found.against[0].quality.pchip:+.2f} dB" in said
    assert "at equal PSNR" in verdicts(found)[0]
    (axes,) = comparison_figure(found, title="x").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Bits per pixel", "PSNR (dB)")
    assert FITTED in comparison_html(found, title="x")


def test_the_report_never_says_test() -> None:
    given = material(points())
    text = page(given).partition("<body>")[2]
    for script in ("<script", "<svg"):
        while script in text:
            start = text.index(script)
            end = text.index(f"</{script[1:]}>", start)
            text = text[:start] + text[end:]
    words = text.lower()
    assert "fitted: quality is that of the signal itself" in words
    assert "16,000 pixels" in words
    assert [word for word in ("test", "validation") if word in words] == []


def test_points_of_a_signal_are_exported_with_their_rate_and_read_without_it(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(points_csv(points()))
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["bits_per_pixel"].tolist() == pytest.approx(8 * table["size_bytes"] / COUNT)
    read = read_points(tmp_path)
    assert rate_of(read) == "bits_per_pixel"
    assert "bits_per_pixel" not in read
    assert set(read["signal_count"]) == {COUNT}


@pytest.mark.parametrize(("unit", "count"), [("", 5), ("pixel", 0), ("Two words", 5)])
def test_half_a_signal_is_refused(tmp_path: Path, unit: str, count: int) -> None:
    wrong = points().assign(signal_unit=unit, signal_count=count)
    (tmp_path / "points.csv").write_text(points_csv(wrong))
    with pytest.raises(ValueError, match=r"line 2: signal_count is .*: wanted a number and a word such as pixel$"):
        read_points(tmp_path)

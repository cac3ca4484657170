"""What the figures of a comparison show, as plain data."""

from __future__ import annotations

import pandas as pd

from analysis.comparison.compare import compare
from analysis.comparison.plot_data import comparison_plot_data
from tests.analysis.comparison.samples import side
from tests.analysis.images import images


def test_a_dozen_sides_look_different() -> None:
    found = compare({f"m{index}": side(f"s{index}", factor=1.2**index) for index in range(12)}, num_resamples=1)
    lines = comparison_plot_data(found).lines
    assert len({(line.colour, str(line.dashes)) for line in lines}) == 12
    assert len({(line.colour, line.symbol) for line in lines}) == 12


def test_every_file_of_a_front_that_falls_far_is_on_an_axis_that_flattens_no_other() -> None:
    near = {name: side(name, factor=factor, low=0.90) for name, factor in (("a", 1), ("b", 2), ("c", 3))}
    fallen = pd.concat([side("d", low=0.90), side("e", low=0.1, high=0.2, num_points=2).assign(sweep_id="d-0123abcd")])
    plot = comparison_plot_data(compare({**near, "d": fallen}, num_resamples=1))
    for line in plot.lines:
        assert plot.axis.inside(100 * line.files["file_quality"]).all()
        assert plot.axis.inside(100 * line.front.quality).all()
    low, high = plot.axis.place(plot.axis.limits)
    assert (plot.axis.place(96.0) - plot.axis.place(90.0)) / (high - low) > 0.3
    assert plot.note.endswith("; axis stretched towards the best")
    assert comparison_plot_data(compare(near, num_resamples=1)).note == (
        "line: median of 3 seeds, band: best to worst; markers: files of the frontier of means"
    )


def test_the_axis_says_the_unit_and_where_lower_is_better() -> None:
    points = {name: side(name, quality_name="bits_per_character", maximise=False) for name in "ab"}
    assert comparison_plot_data(compare(points, num_resamples=1)).quality_label == (
        "Test bits per character, lower is better"
    )
    points = {name: side(name, quality_name="psnr_db") for name in "ab"}
    assert comparison_plot_data(compare(points, num_resamples=1)).quality_label == "Test PSNR (dB)"


def test_means_over_images_are_no_means_over_seeds() -> None:
    found = compare({name: images(4, method=name) for name in ("epr", "jpeg")}, num_resamples=1)
    assert "line: means over the task's files; markers" in comparison_plot_data(found).note

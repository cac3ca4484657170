"""What the figures of a comparison show, as plain data."""

from __future__ import annotations

import pandas as pd

from analysis.comparison.compare import compare
from analysis.comparison.plot_data import comparison_plot_data
from tests.analysis.comparison.samples import side


def test_a_dozen_sides_look_different() -> None:
    found = compare({f"m{index}": side(f"s{index}", factor=1.2**index) for index in range(12)}, num_resamples=1)
    lines = comparison_plot_data(found).lines
    assert len({(line.colour, str(line.dashes)) for line in lines}) == 12
    assert len({(line.colour, line.symbol) for line in lines}) == 12


def test_a_front_that_falls_far_does_not_flatten_the_others() -> None:
    near = {name: side(name, factor=factor, low=0.90) for name, factor in (("a", 1), ("b", 2), ("c", 3))}
    fallen = pd.concat([side("d", low=0.90), side("e", low=0.1, high=0.2, num_points=2).assign(sweep_id="d-0123abcd")])
    plot = comparison_plot_data(compare({**near, "d": fallen}, num_resamples=1))
    assert plot.quality_limits[0] > 80
    assert plot.note.endswith("; 2 files beyond the axis")
    assert comparison_plot_data(compare(near, num_resamples=1)).note.endswith("best to worst")

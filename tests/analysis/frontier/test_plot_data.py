"""What the figures of a frontier show, as plain data."""

from __future__ import annotations

from analysis.configurations.summary import summarise
from analysis.drawing.style import COLOURS, OTHER_COLOUR
from analysis.frontier.plot_data import frontier_plot_data
from tests.analysis.points.rows import frame


def test_architectures_beyond_the_palette_share_one_colour_and_repeat_none() -> None:
    rows = [
        {"architecture": f"net{i}", "config_hash": str(i), "num_parameters": i + 1} for i in range(len(COLOURS) + 2)
    ]
    plot = frontier_plot_data(summarise(frame(*rows)), frame(*rows))
    assert list(plot.colours.values()) == [*COLOURS, OTHER_COLOUR, OTHER_COLOUR]


def test_the_bars_of_nearly_equal_points_fit() -> None:
    points = frame(
        *({"config_hash": "a", "seed": seed, "quality": 0.9909 + 0.0003 * seed} for seed in range(3)),
        *(
            {"config_hash": "b", "seed": seed, "quality": 0.9910, "quality_val": 0.97, "size_bytes": 1200}
            for seed in range(3)
        ),
    )
    low, high = frontier_plot_data(summarise(points), points).axis.limits
    assert low < 99.09
    assert high > 99.15
    assert high - low < 0.3

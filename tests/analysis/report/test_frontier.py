"""The frontier's table on the page has the numbers of the frame."""

from __future__ import annotations

from analysis.report.frontier import frontier_table
from analysis.units import format_quality, format_ratio
from tests.analysis.report.samples import material
from tests.analysis.report.test_markup import read


def test_every_configuration_on_the_frontier_is_a_row_with_its_numbers() -> None:
    made = material()
    text = read(frontier_table(made)).text
    assert frontier_table(made).count("<tr>") == 1 + len(made.front)
    for row in made.front.to_dict("records"):
        for said in (
            f"{row['file_size_bytes']:,}",
            format_ratio(row["file_compression_ratio"]),
            format_quality(row["quality_mean"], "accuracy", spread=row["quality_std"], with_unit=False),
            format_quality(row["quality_val_mean"], "accuracy", spread=row["quality_val_std"], with_unit=False),
            f"{row['file_trial_id']}/{row['point_id']}",
        ):
            assert said in text

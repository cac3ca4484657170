"""The tables of the terminal."""

from __future__ import annotations

import io

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.configurations.summary import summarise
from analysis.frontier.table import frontier_csv, frontier_table, ordered, sweeps_table
from analysis.points.mlflow import SWEEP_COLUMNS
from tests.analysis.points.rows import frame, seeds, sweep


def lines(table: Table, width: int = 100) -> list[str]:
    written = io.StringIO()
    Console(width=width, file=written).print(table)
    return written.getvalue().splitlines()


def test_the_frontier_comes_first_from_small_to_large_then_the_dominated_best_first() -> None:
    rows = ordered(summarise(sweep()))
    num_front = int(rows["on_front"].sum())
    assert rows["on_front"].tolist() == [True] * num_front + [False] * (len(rows) - num_front)
    assert rows["file_size_bytes"][:num_front].is_monotonic_increasing
    assert rows["quality_val_mean"][num_front:].is_monotonic_decreasing


def test_each_configuration_is_one_line_at_100_columns() -> None:
    configurations = summarise(sweep())
    num_front = int(configurations["on_front"].sum())
    text = lines(frontier_table(configurations, num_others=3))
    assert sum(line.startswith("● ") for line in text) == num_front + 1  # and the caption, which explains the mark
    assert sum("mlp(hidden=" in line for line in text) == num_front + 3
    assert f"{len(configurations) - num_front - 3} more off the frontier" in " ".join(" ".join(text).split())
    assert max(map(len, text)) <= 100


def test_numbers_are_those_of_the_file_and_the_means_over_seeds() -> None:
    text = lines(frontier_table(summarise(frame(*seeds("a", [1000, 1100, 1234], [0.96, 0.98, 0.97], quality=0.95)))))
    assert text[2].split()[:9] == ["●", "1.23", "kB", "15.6x", "97.00", "±", "1.00", "95.00", "±"]
    assert text[2].split()[-4:] == ["mlp(hidden=[64])", "epr", "lam=0.3", "3"]


def test_the_table_says_which_numbers_are_those_of_a_file_and_which_are_means() -> None:
    points = frame(*seeds("a", [1000, 1100], [2.1, 2.2], quality_name="bits_per_character", maximise=False))
    text = lines(frontier_table(summarise(points)))
    assert "file size" in text[0]
    assert "mean val" in text[0]
    assert "mean test" in text[0]
    said = " ".join(" ".join(text).split())
    assert "size and ratio: one file, that of the seed of lower-median validation, which ships" in said
    assert "bits per character, lower is better: mean ± sd over seeds" in said


def test_of_a_configuration_with_a_failed_seed_both_numbers_are_shown() -> None:
    text = lines(
        frontier_table(summarise(frame(*seeds("a", [1000, 1100], [0.96, 0.98], num_failed=1), {"config_hash": "b"})))
    )
    assert [line.split()[-1] for line in text if "mlp(" in line] == ["1", "2/3"]
    assert "where a seed failed, a configuration is off the frontier" in " ".join(" ".join(text).split())
    assert "failed" not in " ".join(lines(frontier_table(summarise(frame({})))))


def test_a_csv_file_has_every_column_but_the_folder_of_this_machine() -> None:
    """Those of fidelity are there where a trial was given a network."""
    points = frame({"num_failed": 1, "path": "trials/a/0.rfz", "directory": "/home/me/sweeps/x"})
    configurations = summarise(points.assign(kl=0.5, agreement=0.75, output_error=0.1))
    text = frontier_csv(configurations)
    read = pd.read_csv(io.StringIO(text))
    assert set(configurations.columns) - set(read.columns) == {
        *("file_directory", "file_others", "signal_unit", "signal_count", "num_files")
    }
    assert read["kl_mean"].tolist() == [0.5]
    assert not {"kl_mean", "kl_std", "file_kl"} & set(pd.read_csv(io.StringIO(frontier_csv(summarise(points)))))
    assert read[["num_failed", "file_path", "config"]].iloc[0].tolist() == [1, "trials/a/0.rfz", "lam=0.3 steps=2000"]
    assert "/home/me" not in text


def test_names_are_not_markup() -> None:
    text = lines(frontier_table(summarise(frame({"architecture": "[red]net[/red]", "label": "[bold]"}))))
    assert "[red]net[/red]" in text[2]
    assert "[bold]" in text[2]


def test_no_configurations_are_an_empty_table() -> None:
    assert "size" in lines(frontier_table(summarise(frame())))[0]


def test_sweeps_are_one_line_each() -> None:
    started = pd.Timestamp("2026-01-02 03:04", tz="UTC")
    sweeps = pd.DataFrame(
        [["digits-1", "digits", "1", "FINISHED", started, 5, 2, 1, 0, 6, "a", True]], columns=list(SWEEP_COLUMNS)
    )
    words = ["digits-1", "finished", "2026-01-02", "03:04", "5", "2", "1", "0", "6"]
    assert lines(sweeps_table(sweeps))[2].split() == words
    assert lines(sweeps_table(sweeps))[0].split()[-5:] == ["finished", "stopped", "failed", "running", "points"]

"""A frontier that follows a sweep in a small MLflow database; tests decide how time passes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from rich.console import Console
from typer.testing import CliRunner

from analysis.points.mlflow import list_sweeps
from orchestrator.cli import program
from orchestrator.reports.frontier import WrittenFrontier, write_frontier
from orchestrator.reports.watch import watch
from tests.analysis.points.store import Writer


@pytest.fixture
def sweep(workplace: Path) -> Writer:
    """A sweep that runs and has measured nothing."""
    client = MlflowClient(f"sqlite:///{workplace}/mlflow.db")
    return Writer(client, client.create_experiment("digits", (workplace / "artifacts").as_uri()), "digits-0123abcd")


def follow(folder: Path, *steps: Callable[[], object], is_terminal: bool = False) -> tuple[list[str], list[float]]:
    """The lines printed and the seconds of each wait; one of ``steps`` happens during each wait."""
    said, waited = io.StringIO(), []
    left: Iterator[Callable[[], object]] = iter(steps)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        next(left)()

    address = f"sqlite:///{folder}/mlflow.db"
    draw = partial(write_frontier, address, ["digits"], folder / "out")
    console = Console(file=said, force_terminal=is_terminal, width=120, height=40)
    watch(partial(list_sweeps, address, ["digits"]), draw, console, interval_s=7, sleep=sleep)
    assert not list(left)
    return said.getvalue().splitlines(), waited


def test_a_line_says_each_change_until_the_sweep_ends(sweep: Writer, tmp_path: Path) -> None:
    lines, waited = follow(
        tmp_path,
        lambda: sweep.trial("t0", 1),
        lambda: None,
        lambda: sweep.trial("t1", 1, "FAILED", config_hash="def"),
        lambda: sweep.client.set_terminated(sweep.parent, "FINISHED"),
    )
    assert [line.partition(" ")[2] for line in lines[:4]] == [
        "no trial has started; no finished point yet, waiting",
        "1 finished; 1 on the frontier, 1.00 kB to 1.00 kB, the best with test accuracy 95.00 %",
        "1 finished, 1 failed; 1 on the frontier, 1.00 kB to 1.00 kB, the best with test accuracy 95.00 %",
        "1 finished, 1 failed; 1 on the frontier, 1.00 kB to 1.00 kB, the best with test accuracy 95.00 %; ended",
    ]
    assert lines[-1] == f"figures: {tmp_path}/out/frontier.png, .svg, .html, .csv"
    assert len(waited) == 4
    assert min(waited) >= 7
    assert (tmp_path / "out" / "frontier.svg").exists()


def test_a_sweep_that_has_ended_is_drawn_once_without_a_wait(sweep: Writer, tmp_path: Path) -> None:
    sweep.trial("t0", 1)
    sweep.client.set_terminated(sweep.parent, "KILLED")
    lines, waited = follow(tmp_path)
    assert waited == []
    assert lines[0].endswith("; ended")


def test_figures_are_drawn_again_only_where_the_frontier_may_have_changed() -> None:
    states = [(1, 0, 1), (1, 0, 2), (2, 0, 2), (2, 1, 2), (2, 1, 2)]  # points, failed, running
    drawn: list[int] = []
    looks = iter(range(len(states)))

    def look() -> pd.DataFrame:
        index = next(looks)
        points, failed, running = states[index]
        status = "RUNNING" if index < len(states) - 1 else "FINISHED"
        counts = {"num_finished": points, "num_stopped": 0, "num_failed": failed, "num_running": running}
        return pd.DataFrame([{"status": status, "num_points": points, **counts}])

    def draw() -> WrittenFrontier | None:
        drawn.append(1)
        return None

    watch(look, draw, Console(file=io.StringIO()), sleep=lambda _: None)
    assert len(drawn) == 3


def test_a_store_that_goes_away_is_tried_again(sweep: Writer, tmp_path: Path) -> None:
    sweep.trial("t0", 1)
    failures = iter([False, True, True, False])
    said = io.StringIO()

    def look() -> pd.DataFrame:
        if next(failures):
            raise ConnectionError("no MLflow server answers")
        return list_sweeps(f"sqlite:///{tmp_path}/mlflow.db")

    def sleep(_: float) -> None:
        sweep.client.set_terminated(sweep.parent, "FINISHED")

    assert watch(look, lambda: None, Console(file=said, width=200), sleep=sleep) is None
    assert said.getvalue().count("no MLflow server answers; trying again") == 1
    with pytest.raises(ConnectionError):
        watch(lambda: list_sweeps("http://127.0.0.1:9"), lambda: None, Console(file=said), sleep=sleep)


def test_a_terminal_shows_a_picture_and_the_table_last(sweep: Writer, tmp_path: Path) -> None:
    lines, _ = follow(
        tmp_path,
        lambda: sweep.trial("t0", 1),
        lambda: sweep.client.set_terminated(sweep.parent, "FINISHED"),
        is_terminal=True,
    )
    text = "\n".join(lines)
    assert "no finished point yet, waiting; Ctrl-C ends" in text
    assert text.count("● frontier, decided on validation") >= 3  # two pictures and the end
    assert "figures: " in lines[-1]


def test_an_interrupt_leaves_the_table(sweep: Writer, tmp_path: Path) -> None:
    sweep.trial("t0", 1)

    def interrupt() -> None:
        raise KeyboardInterrupt

    said = io.StringIO()
    address = f"sqlite:///{tmp_path}/mlflow.db"
    draw = partial(write_frontier, address, [], tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        watch(partial(list_sweeps, address), draw, Console(file=said, width=120), sleep=lambda _: interrupt())
    assert "figures: " in said.getvalue()


def test_the_command_ends_with_the_sweep(sweep: Writer, tmp_path: Path) -> None:
    sweep.trial("t0", 1)
    sweep.client.set_terminated(sweep.parent, "FINISHED")
    common = ["frontier", "digits", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db", "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(program, [*common, "--watch", "--interval", "0.1"])
    assert said.exit_code == 0, said.stderr
    assert "1 on the frontier, 1.00 kB to 1.00 kB, the best with test accuracy 95.00 %; ended" in said.stdout
    for wrong in (["--interval", "5"], ["--watch", "--interval", "0"], ["--watch", "--json"]):
        refused = CliRunner().invoke(program, [*common, *wrong])
        assert refused.exit_code == 2
        assert refused.stderr.count("\n") == 1

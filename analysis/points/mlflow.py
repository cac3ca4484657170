"""From MLflow to DataFrames: the only file of this package that knows MLflow. It reads and never writes.

Where MLflow's database is one that ``analysis/points/tracking_database.py`` knows, that file reads the runs, in a
fraction of the time, and MLflow is not even imported.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pandas as pd

from analysis.keys import REPEAT_KEY
from analysis.points.database_lock import opening
from analysis.points.labels import config_labels, config_text, repeat_words
from analysis.points.large_reads import without_collection
from analysis.points.logged_runs import Condition, LoggedExperiment, LoggedRun, RunReader
from analysis.points.metric_names import FIDELITY_METRICS, quality_metric
from analysis.points.tracking_uri import (
    check_answers,
    check_exists,
    check_scheme,
    sqlite_path,
    unreadable,
    without_credentials,
)
from trainers.nearest import nearest
from trainers.record import COLUMNS, ODD_COLUMNS, OperatingPoint, others_of, others_text

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

T = TypeVar("T")

_ADDED = ("run_id", "experiment_id", "config", "label", "params", "num_failed", "directory")
POINT_COLUMNS: tuple[str, ...] = (*COLUMNS, *ODD_COLUMNS, *_ADDED)
_COUNTS = ("num_finished", "num_stopped", "num_failed", "num_running", "num_points")
SWEEP_COLUMNS: tuple[str, ...] = (
    *("sweep_id", "experiment", "experiment_id", "status", "started"),
    *(*_COUNTS, "run_id", "has_views"),
)

VIEW_TAG = "mlflow.sharedViewState."
"""The name of an experiment's tag, followed by a view's id; MLflow's UI opens the view that it holds."""

_DTYPES = {"int": "int64", "float": "float64", "float | None": "float64", "bool": "bool", "str": "str"}
_TAGS = ("sweep_id", "trial_id", "point_id", "config_hash", "sha256", "path", "quality_name")
_SIGNAL_TAGS = ("signal_unit", "signal_count", "task", "task_file")
_PARAMS = ("task", "architecture", "method")
_METRICS = ("num_parameters", "macs", "num_steps", "train_s", "size_bytes", "uncompressed_bytes")
_STATES = {"FINISHED": "num_finished", "FAILED": "num_failed", "KILLED": "num_stopped"}

_IS_SWEEP = Condition(tags={"ratefront.kind": "sweep"})
_IS_POINT = Condition(tags={"ratefront.point": "true"}, status="FINISHED")
_IS_FAILED = Condition(tags={"ratefront.kind": "trial"}, status="FAILED")
_IS_OURS = Condition(tags={"ratefront.kind": None})
_INSTANCE_TAGS = ("ratefront.sweep_id", "ratefront.instance")
_PARENT_TAGS = (*_INSTANCE_TAGS, "ratefront.directory")
_FAILED_TAGS = (*_INSTANCE_TAGS, "ratefront.config_hash", "ratefront.trial_id")
_COUNTED_TAGS = ("ratefront.sweep_id", "ratefront.kind", "ratefront.point")
_POINT_TAGS = (
    *(f"ratefront.{name}" for name in (*_TAGS, "maximise", "zero_weights", "is_constant", "others", *_SIGNAL_TAGS)),
    "ratefront.instance",
)
_ID_ENDING = re.compile(r"-[0-9a-f]{8}(-\d+)?$")
_PAGE = 1000


def load_points(tracking_uri: str, sweep_ids: Sequence[str] = ()) -> pd.DataFrame:
    """Every finished operating point, one row for each file, oldest first.

    Args:
        tracking_uri: MLflow's address, such as ``sqlite:///mlflow.db`` or ``http://host:5000``.
        sweep_ids: the sweeps to read; all when empty. A sweep's name stands for the newest sweep of that name.

    Returns:
        ``POINT_COLUMNS``: the fields of ``OperatingPoint``, and

        - ``run_id``, ``experiment_id``;
        - ``config``: all settings as text; ``label``: the settings that tell configurations apart;
        - ``params``: all settings by name, as JSON;
        - ``num_failed``: how many trials of the same configuration failed before they stored this point;
        - ``directory``: the sweep's folder, to which ``path`` is relative; empty where the sweep does not say.

    Raises:
        ValueError: there is no such database or sweep, a run lacks what a point needs, or two runs hold the same point.
        ConnectionError: the server does not answer, or refuses.
    """
    check_exists(tracking_uri)
    with _reading(tracking_uri) as store:
        parents = store.runs(_IS_SWEEP, _PARENT_TAGS)
        points, failing = [_IS_POINT], [_IS_FAILED]
        if sweep_ids:
            known = _by_id(parents)
            wanted = dict.fromkeys(resolve(name, known) for name in sweep_ids)
            points, failing = ([one.of_sweep(sweep_id) for sweep_id in wanted] for one in (_IS_POINT, _IS_FAILED))
        runs = [run for condition in points for run in store.runs(condition, _POINT_TAGS, measured=True)]
        failed = [run for condition in failing for run in store.runs(condition, _FAILED_TAGS)]

    directories = {_instance(run): run.tags.get("ratefront.directory", "") for run in parents}
    failures: dict[tuple[str, ...], list[str]] = {}
    for run in failed:
        of = (*_instance(run), run.tags.get("ratefront.config_hash", ""))
        failures.setdefault(of, []).append(run.tags.get("ratefront.trial_id", ""))
    rows = [_row(run) for run in runs]
    stored = {(*_instance(run), row["trial_id"], row["point_id"]) for run, row in zip(runs, rows, strict=True)}
    _refuse_copies(rows)
    labels = config_labels(rows, [run.params for run in runs])
    for row, run, label in zip(rows, runs, labels, strict=True):
        row |= {"config": config_text(run.params), "label": label, "params": json.dumps(run.params)}
        trial_ids = failures.get((*_instance(run), row["config_hash"]), [])
        row["num_failed"] = sum((*_instance(run), one, row["point_id"]) not in stored for one in trial_ids)
        row["directory"] = directories.get(_instance(run), "")
    return as_frame(rows)


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame of ``POINT_COLUMNS`` with their types, also where there is no row; a number that is None is NaN."""
    dtypes = {field.name: _DTYPES[str(field.type)] for field in fields(OperatingPoint)} | {"num_failed": "int64"}
    whole = [{**ODD_COLUMNS, **row} for row in rows]
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in whole], dtype=dtypes.get(name, "str")) for name in POINT_COLUMNS}
    )


def list_sweeps(tracking_uri: str, sweep_ids: Sequence[str] = ()) -> pd.DataFrame:
    """Every sweep, newest first: its state, its start (UTC), its trials by state, its finished points.

    Args:
        tracking_uri, sweep_ids: as ``load_points``.

    Returns:
        ``SWEEP_COLUMNS``. A killed trial counts as stopped, a scheduled one as running. ``run_id`` is the sweep's own
        run; ``has_views`` says whether MLflow's UI is prepared for the sweep.

    Raises:
        ValueError, ConnectionError: as ``load_points``.
    """
    check_exists(tracking_uri)
    with _reading(tracking_uri) as store:
        experiments = store.experiments()
        parents = _by_id(store.runs(_IS_SWEEP, ("ratefront.sweep_id",)))
        wanted = {resolve(name, parents) for name in sweep_ids} or set(parents)
        ours = [_IS_OURS.of_sweep(sweep_id) for sweep_id in wanted] if sweep_ids else [_IS_OURS]
        runs = [run for condition in ours for run in store.runs(condition, _COUNTED_TAGS)]
    counts: Counter[tuple[str, str]] = Counter()
    for run in runs:
        tags, state = run.tags, _STATES.get(run.status, "num_running")
        sweep_id = tags.get("ratefront.sweep_id", "")
        counts[sweep_id, state] += tags["ratefront.kind"] == "trial"
        counts[sweep_id, "num_points"] += tags.get("ratefront.point") == "true" and state == "num_finished"
    rows = [
        {
            "sweep_id": sweep_id,
            "experiment": experiments[run.experiment_id].name,
            "experiment_id": run.experiment_id,
            "status": run.status,
            "started": pd.Timestamp(run.start_time, unit="ms", tz="UTC"),
            **{name: counts[sweep_id, name] for name in _COUNTS},
            "run_id": run.run_id,
            "has_views": f"{VIEW_TAG}{sweep_id}-frontier" in experiments[run.experiment_id].tags,
        }
        for sweep_id, run in parents.items()
        if sweep_id in wanted
    ]
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))


def check_tracking(uri: str) -> None:
    """Check that a sweep can log to ``uri``, before it starts. A missing SQLite file stays missing.

    Raises:
        ValueError: the address is malformed, or means MLflow's old file store or a file that cannot be written.
        ConnectionError: the server does not answer, or MLflow cannot read what is there.
    """
    path = sqlite_path(uri)
    if path is not None:
        place = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
        is_database = place == path.absolute()
        if not ((place.is_file() if is_database else place.is_dir()) and os.access(place, os.R_OK | os.W_OK)):
            wanted = "file" if is_database else "folder"
            raise ValueError(f"cannot keep a database in {path}: {place} is no {wanted} that can be written to")
    if path is None or path.exists():
        _Store(uri)


def _row(run: LoggedRun) -> dict[str, Any]:
    """The columns that the run of a point holds by itself."""
    tags, params, metrics = run.tags, run.params, run.metrics
    try:
        metric = quality_metric(tags["ratefront.quality_name"])
        return {
            **{name: tags[f"ratefront.{name}"] for name in _TAGS},
            **{name: params[name] for name in _PARAMS},
            "task": tags.get("ratefront.task", params["task"]),  # without the form of a signal's examples
            **{name: metrics[name] for name in _METRICS},
            "seed": int(params["seed"]),
            "quality": metrics[metric],
            "quality_val": metrics[f"{metric}_val"],
            "maximise": tags["ratefront.maximise"] == "true",
            "zero_weights": tags.get("ratefront.zero_weights", ""),
            "is_constant": tags.get("ratefront.is_constant") == "true",
            **{name: metrics.get(metric) for name, metric in FIDELITY_METRICS.items()},
            "others": others_text(others_of(tags.get("ratefront.others", ""))),
            "signal_unit": tags.get("ratefront.signal_unit", ""),
            "signal_count": int(tags.get("ratefront.signal_count", 0)),
            "task_file": tags.get("ratefront.task_file", ""),
            "run_id": run.run_id,
            "experiment_id": run.experiment_id,
        }
    except KeyError as missing:
        raise ValueError(f"MLflow run {run.run_id} is marked as a point but has no {missing}") from None
    except ValueError as error:
        raise ValueError(f"MLflow run {run.run_id} is no point as ratefront logs it: {error}") from None


def _instance(run: LoggedRun) -> tuple[str, str]:
    """The id and the instance of the sweep that ``run`` belongs to; equal sweeps elsewhere are other instances."""
    return run.tags.get("ratefront.sweep_id", ""), run.tags.get("ratefront.instance", "")


def _refuse_copies(rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a point that is there twice: it would count as two seeds."""
    first: dict[tuple[Any, ...], str] = {}
    for row in rows:
        key = tuple(row[name] for name in REPEAT_KEY)
        if key in first:
            which = f"{repeat_words(row)} of configuration {row['config_hash']} (point {row['point_id']!r})"
            raise ValueError(
                f"MLflow runs {first[key]} and {row['run_id']} both hold {which} of sweep {row['sweep_id']}: delete "
                f"the one that is wrong, such as the newer with: mlflow runs delete --run-id {row['run_id']}"
            )
        first[key] = row["run_id"]


def _by_id(parents: Sequence[LoggedRun]) -> dict[str, LoggedRun]:
    """The parent run of each sweep by the sweep's id, newest first. ``parents`` are oldest first."""
    runs = [run for run in parents if "ratefront.sweep_id" in run.tags]
    return {run.tags["ratefront.sweep_id"]: run for run in reversed(runs)}


def resolve(name: str, sweeps: Collection[str]) -> str:
    """The id that ``name`` means: itself, or the newest ``<name>-<hash>`` or ``<name>-<hash>-<number>``.

    Args:
        name: an id, or an id without its ending.
        sweeps: ids, newest first.

    Raises:
        ValueError: there is no such sweep.
    """
    if name in sweeps:
        return name
    newest: dict[str, str] = {}
    for sweep_id in sweeps:
        newest.setdefault(name_of(sweep_id), sweep_id)
    if name in newest:
        return newest[name]
    raise ValueError(f"no sweep {name!r}{nearest(name, [*newest, *sweeps], in_order=True)}")


def name_of(sweep_id: str) -> str:
    """The name of a sweep: its id without the ending that tells sweeps of one name apart."""
    return _ID_ENDING.sub("", sweep_id)


@contextmanager
def _reading(tracking_uri: str) -> Iterator[RunReader]:
    """Open a tracking store, with errors of one line: a database that is known by SQL, any other store by MLflow."""
    if not tracking_uri.startswith(("sqlite", "postgresql")):
        yield _Store(tracking_uri)
        return
    from analysis.points.tracking_database import open_database  # loads SQLAlchemy

    database = open_database(tracking_uri)
    if database is None:
        yield _Store(tracking_uri)
        return
    with closing(database), without_collection():
        yield database


class _Store:
    """Read access to one tracking store through MLflow, with errors of one line: a ``RunReader``."""

    def __init__(self, tracking_uri: str) -> None:
        self._uri = tracking_uri
        check_scheme(tracking_uri)
        check_answers(tracking_uri)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        with _one_line_errors(self._uri), opening(tracking_uri):
            from mlflow import MlflowClient

            self._client = MlflowClient(tracking_uri)
            found = _pages(lambda token: self._client.search_experiments(max_results=_PAGE, page_token=token))
            self._experiments = {one.experiment_id: LoggedExperiment(one.name, frozenset(one.tags)) for one in found}

    def experiments(self) -> dict[str, LoggedExperiment]:
        return self._experiments

    def runs(self, condition: Condition, tags: Collection[str], *, measured: bool = False) -> list[LoggedRun]:
        with _one_line_errors(self._uri), without_collection():
            found = _pages(
                lambda token: self._client.search_runs(
                    list(self._experiments),
                    _filter_string(condition),
                    max_results=_PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            )
        return [_logged(run) for run in found]


def _filter_string(condition: Condition) -> str:
    """``condition`` in the language of MLflow's search."""
    terms = [
        f"tags.`{name}` LIKE '%'" if value is None else f"tags.`{name}` = '{value}'"
        for name, value in condition.tags.items()
    ]
    terms += [f"attributes.status = '{condition.status}'"] if condition.status is not None else []
    return " AND ".join(terms)


def _logged(run: Run) -> LoggedRun:
    data, info = run.data, run.info
    return LoggedRun(
        info.run_id, info.experiment_id, info.status, info.start_time, data.tags, data.params, data.metrics
    )


@contextmanager
def _one_line_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # MLflow's own, its database layer's, or the network's
        if urlsplit(uri).scheme in ("", "file") and not uri.startswith("databricks"):
            raise ValueError(
                f"cannot track in {without_credentials(uri)!r}: MLflow 3 has no file store: use sqlite:///mlflow.db, "
                "or http://host:5000 for a server"
            ) from error
        raise unreadable(uri, error) from error


def _pages(search: Callable[[str | None], PagedList[T]]) -> list[T]:
    """All results of a search that MLflow answers page by page."""
    found: list[T] = []
    token: str | None = None
    while True:
        page = search(token)
        found += page
        token = page.token
        if not token:
            return found

"""From MLflow to DataFrames: the only file of this package that knows MLflow. It reads and never writes."""

from __future__ import annotations

import difflib
import gc
import os
import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import pandas as pd

from analysis.labels import config_labels
from trainers.record import COLUMNS, OperatingPoint

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run
    from mlflow.store.entities import PagedList

T = TypeVar("T")

POINT_COLUMNS: tuple[str, ...] = (*COLUMNS, "run_id", "experiment_id", "config")
_COUNTS = ("num_finished", "num_failed", "num_running", "num_points")
SWEEP_COLUMNS: tuple[str, ...] = ("sweep_id", "experiment", "experiment_id", "status", "started", *_COUNTS)

_DTYPES = {"int": "int64", "float": "float64", "bool": "bool", "str": "str"}
_TAGS = ("sweep_id", "trial_id", "point_id", "config_hash", "sha256", "path", "quality_name")
_PARAMS = ("task", "architecture", "method")
_METRICS = ("num_parameters", "macs", "num_steps", "train_s", "size_bytes", "uncompressed_bytes")
_STATES = {"FINISHED": "num_finished", "FAILED": "num_failed", "KILLED": "num_failed"}

_ID_ENDING = re.compile(r"-[0-9a-f]{8}(-\d+)?$")
_PAGE = 1000
_PROBE_S = 5.0
"""How long a server may take to answer at all. MLflow's own client would retry for minutes."""


def load_points(tracking_uri: str, sweep_ids: Sequence[str] = ()) -> pd.DataFrame:
    """Every finished operating point, one row for each file, oldest first.

    Args:
        tracking_uri: of MLflow, such as ``sqlite:///mlflow.db`` or ``http://host:5000``.
        sweep_ids: the sweeps to read; all when empty. The name of a sweep stands for the newest one of that name.

    Returns:
        ``OperatingPoint``'s columns, ``run_id``, ``experiment_id``, and ``config``, a label of the method's settings.

    Raises:
        ValueError: there is no such database or sweep, or a run lacks what a point needs.
        ConnectionError: the server does not answer, or refuses.
    """
    store = _Store(tracking_uri)
    is_point = f"{_tag('point')} = 'true' AND attributes.status = 'FINISHED'"
    filters = [is_point]
    if sweep_ids:
        sweeps = _sweeps(store)
        wanted = dict.fromkeys(_resolve(name, sweeps) for name in sweep_ids)
        filters = [f"{is_point} AND {_tag('sweep_id')} = '{sweep_id}'" for sweep_id in wanted]
    runs = [run for text in filters for run in store.runs(text)]
    rows = [_row(run) for run in runs]
    labels = config_labels(rows, [run.data.params for run in runs])
    columns = {name: [row[name] for row in rows] for name in POINT_COLUMNS[:-1]} | {"config": labels}
    dtypes = {field.name: _DTYPES[str(field.type)] for field in fields(OperatingPoint)}
    return pd.DataFrame({name: pd.Series(columns[name], dtype=dtypes.get(name, "str")) for name in POINT_COLUMNS})


def list_sweeps(tracking_uri: str) -> pd.DataFrame:
    """Every sweep, newest first: its state, its start (UTC), its trials by state, its finished points.

    Returns:
        ``SWEEP_COLUMNS``. A killed trial counts as failed, a scheduled one as running.

    Raises:
        ValueError, ConnectionError: as ``load_points``.
    """
    store = _Store(tracking_uri)
    counts: Counter[tuple[str, str]] = Counter()
    for run in store.runs(f"{_tag('kind')} LIKE '%'"):
        tags, state = run.data.tags, _STATES.get(run.info.status, "num_running")
        sweep_id = tags.get("ratefront.sweep_id", "")
        counts[sweep_id, state] += tags["ratefront.kind"] == "trial"
        counts[sweep_id, "num_points"] += tags.get("ratefront.point") == "true" and state == "num_finished"
    rows = [
        {
            "sweep_id": sweep_id,
            "experiment": store.experiments[run.info.experiment_id].name,
            "experiment_id": run.info.experiment_id,
            "status": run.info.status,
            "started": pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
            **{name: counts[sweep_id, name] for name in _COUNTS},
        }
        for sweep_id, run in _sweeps(store).items()
    ]
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))


def _tag(name: str) -> str:
    return f"tags.`ratefront.{name}`"


def _row(run: Run) -> dict[str, Any]:
    """The columns of one point run, without ``config``."""
    tags, params, metrics = run.data.tags, run.data.params, run.data.metrics
    try:
        quality_name = tags["ratefront.quality_name"]
        return {
            **{name: tags[f"ratefront.{name}"] for name in _TAGS},
            **{name: params[name] for name in _PARAMS},
            **{name: metrics[name] for name in _METRICS},
            "seed": int(params["seed"]),
            "quality": metrics[quality_name],
            "quality_val": metrics[f"{quality_name}_val"],
            "maximise": tags["ratefront.maximise"] == "true",
            "run_id": run.info.run_id,
            "experiment_id": run.info.experiment_id,
        }
    except KeyError as missing:
        raise ValueError(f"MLflow run {run.info.run_id} is marked as a point but has no {missing}") from None


def _sweeps(store: _Store) -> dict[str, Run]:
    """The parent run of each sweep by its id, newest first."""
    runs = [run for run in store.runs(f"{_tag('kind')} = 'sweep'") if "ratefront.sweep_id" in run.data.tags]
    return {run.data.tags["ratefront.sweep_id"]: run for run in reversed(runs)}


def _resolve(name: str, sweeps: Mapping[str, Run]) -> str:
    """The id that ``name`` means: itself, or the newest ``<name>-<hash>`` or ``<name>-<hash>-<number>``."""
    if name in sweeps:
        return name
    newest: dict[str, str] = {}
    for sweep_id in sweeps:
        newest.setdefault(_ID_ENDING.sub("", sweep_id), sweep_id)
    if name in newest:
        return newest[name]
    close = difflib.get_close_matches(name, [*sweeps, *newest], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(sweeps) or 'none'}"
    raise ValueError(f"no sweep {name!r}{hint}")


class _Store:
    """Reading access to one tracking store, with errors of one line."""

    def __init__(self, tracking_uri: str) -> None:
        self._shown_uri = _without_credentials(tracking_uri)
        _check_exists(tracking_uri)
        check_reachable(tracking_uri)
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        with self._one_line_errors():
            self._client = MlflowClient(tracking_uri)
            found = _pages(lambda token: self._client.search_experiments(max_results=_PAGE, page_token=token))
            self.experiments: dict[str, Experiment] = {experiment.experiment_id: experiment for experiment in found}

    def runs(self, filter_string: str) -> list[Run]:
        """The active runs of all experiments that match, oldest first."""
        with self._one_line_errors(), _no_collection():
            return _pages(
                lambda token: self._client.search_runs(
                    list(self.experiments),
                    filter_string,
                    max_results=_PAGE,
                    order_by=["attributes.start_time ASC"],
                    page_token=token,
                )
            )

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of MLflow, of its database layer, of the network
            raise ConnectionError(f"cannot read {self._shown_uri}: {str(error).splitlines()[0]}") from error


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


@contextmanager
def _no_collection() -> Iterator[None]:
    """MLflow makes dozens of objects for each run; looking for garbage among them doubles the time of a large read."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _without_credentials(uri: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _check_exists(uri: str) -> None:
    """Fail plainly where MLflow would create an empty database."""
    parts = urlsplit(uri)
    # sqlite:///relative, sqlite:////absolute
    if parts.scheme.startswith("sqlite") and not Path(unquote(parts.path.removeprefix("/"))).is_file():
        raise ValueError(
            f"no tracking database at {_without_credentials(uri)}: run a sweep first or pass --tracking-uri"
        )


def check_reachable(uri: str) -> None:
    """Ask a server for its health, where MLflow itself would retry for minutes; other stores need no asking.

    Raises:
        ConnectionError: no server answers.
    """
    shown = _without_credentials(uri)
    if urlsplit(uri).scheme not in ("http", "https"):
        return
    try:
        urllib.request.urlopen(f"{shown.rstrip('/')}/health", timeout=_PROBE_S).close()
    except urllib.error.HTTPError as error:
        error.close()  # it answered: whether it serves us is the client's to find out
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ConnectionError(f"no MLflow server answers at {shown}: {reason}") from None

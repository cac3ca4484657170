"""Makes a submitter and a submission of what a command was told, and refuses what could not run or shows secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from analysis.points.tracking_uri import sqlite_path, without_credentials
from orchestrator.storage.bucket import check_address, is_remote
from orchestrator.submission import SUBMITTERS
from orchestrator.submission.base import AbstractSubmitter, Submission, SubmitError
from orchestrator.submission.jobs import Job
from orchestrator.submission.wheels import own_modules, ratefront_wheel
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.section import mistake_line
from orchestrator.sweep.yaml_text import parse_yaml
from trainers.nearest import nearest

_SECRET = re.compile(r"(^|_)(TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS?)(_|$)|_KEY$", re.IGNORECASE)
_PASSWORD = re.compile(r"[?&]password=", re.IGNORECASE)


def choose_submitter(to: str, settings: Iterable[str]) -> tuple[str, AbstractSubmitter]:
    """The name and the submitter that ``--to`` gives.

    Args:
        to: a name in ``SUBMITTERS``, or a YAML file with that name under ``to``, and settings.
        settings: more settings as ``key=value``, which take precedence.

    Raises:
        SubmitError: there is no such submitter, or a setting is wrong.
    """
    document: dict[str, Any] = {"to": to}
    if to.endswith((".yaml", ".yml")):
        try:
            document = parse_yaml(Path(to).read_text(encoding="utf-8"), source=to)
        except OSError as error:
            raise SubmitError(f"cannot read {to}: {error.strerror}") from error
        if not isinstance(document, Mapping) or "to" not in document:
            raise SubmitError(f"{to}: wanted a mapping with 'to: {'|'.join(SUBMITTERS)}' and settings")
        document = dict(document)
    target = str(document.pop("to"))
    if target not in SUBMITTERS:
        raise SubmitError(
            f"unknown target {target!r}: wanted {', '.join(SUBMITTERS)}, or a .yaml file with 'to' and settings"
        )
    known = SUBMITTERS[target].model_fields
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not (key and equals):
            raise SubmitError(f"--with {setting!r}: wanted key=value, such as nodes=4")
        # YAML has a number for 12:00:00
        is_text = key in known and known[key].annotation is str
        document[key] = text if is_text else parse_yaml(text, source=f"--with {key}")
    return target, _build(target, document)


def submitter_of(job: Job) -> AbstractSubmitter:
    """The submitter that an earlier submission was made with."""
    return _build(job.target, job.settings)


def prepare_submission(
    sweep: Sweep,
    *,
    storage: str | None,
    tracking_uri: str | None,
    env: Iterable[str],
    folder: Path,
    include: Iterable[str],
) -> Submission:
    """Make a submission.

    Args:
        sweep: already checked here; what only the cluster has is not.
        storage: folder or bucket for all sweeps, as the cluster sees it.
        tracking_uri: MLflow's address, as the cluster sees it; default: ``MLFLOW_TRACKING_URI``.
        env: environment variables for its processes, as ``KEY=VALUE``.
        folder: where the user's own modules are.
        include: modules there that are only imported when they are used.

    Raises:
        SubmitError: something is missing or wrong, or a secret would be seen by others.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if storage is None:
        raise SubmitError(
            "give --storage a folder that all nodes of the cluster share, such as /shared/sweeps, "
            "or a bucket, such as s3://bucket/sweeps"
        )
    if is_remote(storage):
        check_address(storage)
    elif not Path(storage).is_absolute():
        raise SubmitError(f"--storage is {storage!r}: wanted a whole path, since it is one of the cluster")
    if not uri:
        raise SubmitError("give --tracking-uri the address of MLflow as the cluster sees it, such as http://host:5000")
    if _holds_password(uri):
        raise SubmitError(
            "--tracking-uri holds a password, which everybody would see: give the cluster "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in its environment or secrets"
        )
    database = sqlite_path(uri)
    if database is not None and not database.is_absolute():
        raise SubmitError(f"--tracking-uri is {uri!r}: wanted a whole path, such as sqlite:////shared/mlflow.db")
    return Submission(
        sweep_id=sweep.sweep_id,
        sweep_file=sweep.to_yaml(),
        storage=storage,
        tracking_uri=uri,
        env=_environment(env),
        own=own_modules(folder.resolve(), include),
        wheel=ratefront_wheel(),
        is_fixed=sweep.is_fixed,
    )


def _holds_password(address: str) -> bool:
    return without_credentials(address) != address or bool(_PASSWORD.search(address))


def _environment(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not re.fullmatch(r"[A-Za-z_]\w*", key) or not equals:
            raise SubmitError(f"--env {item!r}: wanted KEY=VALUE, such as RATEFRONT_DATA=/shared/data")
        if _SECRET.search(key) or _holds_password(value):
            raise SubmitError(
                f"--env {key} seems secret, and would be seen: give the cluster a secret or a file of its own"
            )
        found[key] = value
    return found


def _build(target: str, settings: dict[str, Any]) -> AbstractSubmitter:
    kind = SUBMITTERS[target]
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        if mistake["type"] == "extra_forbidden":
            unknown = str(mistake["loc"][0])
            raise SubmitError(f"{target} has no setting {unknown!r}{nearest(unknown, kind.model_fields)}") from error
        raise SubmitError(f"{target}: {mistake_line(mistake, {}, show=_without_password)}") from error


def _without_password(given: Any) -> str:
    return repr(without_credentials(given) if isinstance(given, str) else given)

"""A sweep whose folder is a bucket, and a server that keeps MLflow's artifacts in it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from orchestrator.storage.bucket import Bucket
from orchestrator.storage.folder import LocalFolder
from orchestrator.storage.journal import Journal
from orchestrator.storage.locations import open_journal
from tests import bucket
from tests.console import PROGRAM, call, clean_environment
from tests.system.serving import answers, free_port, kill, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SWEEP = {
    "name": "kept",
    "task": "digits",
    "architecture": {"name": "mlp", "hidden": [8]},
    "method": {"name": "epr", "lam": [0.1, 0.3]},
    "steps": 8000,
    "resources": {"cpu": 1},
}
STORAGE = f"s3://{bucket.NAME}/sweeps"


def test_a_sweep_that_was_cut_off_goes_on_in_a_bucket_to_the_same_files(store: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(yaml.safe_dump(SWEEP))
    plain = call(tmp_path, "sweep", "kept.yaml")
    assert plain.returncode == 0, plain.stderr
    (folder,) = (tmp_path / "sweeps").iterdir()
    places = ("--storage", STORAGE, "--tracking-uri", f"sqlite:///{tmp_path}/other.db")
    journal = open_journal(f"{STORAGE}/{folder.name}")

    process = subprocess.Popen(
        [PROGRAM, "sweep", "kept.yaml", *places],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: _has_file(journal, "checkpoint.pt") or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=600)
    assert not _has_file(journal, "ended.json")
    resumed = call(tmp_path, "sweep", "kept.yaml", *places, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "2 of 2 trials finished" in resumed.stdout
    assert f"figures: {STORAGE}/{folder.name}/frontier/frontier.png" in resumed.stdout
    assert not _has_file(journal, "checkpoint.pt")
    assert [path.name for path in (tmp_path / "sweeps").iterdir()] == [folder.name]

    journal.fetch_all()
    assert _digests(journal) == _digests(Journal(LocalFolder(folder)))
    for name in _digests(journal):
        assert journal.file(name).read_bytes() == (folder / name).read_bytes()
    best = call(tmp_path, "best", "kept", "--max-size", "10kB", "--tracking-uri", f"sqlite:///{tmp_path}/other.db")
    assert best.stdout.startswith(f"{STORAGE}/{folder.name}/trials/"), best.stderr
    out = ("--out", "exported", "--tracking-uri", f"sqlite:///{tmp_path}/other.db")
    exported = call(tmp_path, "export", "kept", *out)
    assert exported.returncode == 0, exported.stderr
    assert list((tmp_path / "exported" / "frontier").glob("*.rfz"))


def test_a_server_keeps_artifacts_in_the_bucket(store: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "kept.yaml").write_text(yaml.safe_dump({**SWEEP, "steps": 60}))
    port = free_port()
    places = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--host", "127.0.0.1", "--port", str(port)]
    keeps = ["--serve-artifacts", "--artifacts-destination", f"s3://{bucket.NAME}/mlflow", "--workers", "1"]
    environment = {**clean_environment(), "MLFLOW_S3_ENDPOINT_URL": store["AWS_ENDPOINT_URL"]}
    with (tmp_path / "server.log").open("wb") as log:
        command = [str(Path(sys.executable).parent / "mlflow"), "server", *places, *keeps]
        server = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(lambda: answers(port) or server.poll() is not None)
        uri = f"http://127.0.0.1:{port}"
        anonymous = {key: "" for key in store if "KEY" in key}  # only the server has keys of the bucket
        ran = call(tmp_path, "sweep", "kept.yaml", "--tracking-uri", uri, **anonymous)
        assert ran.returncode == 0, ran.stderr
        client = MlflowClient(uri)
        (experiment,) = (one for one in client.search_experiments() if one.name == "kept")
        points = client.search_runs([experiment.experiment_id], "tags.`ratefront.point` = 'true'")
        assert len(points) == 2
        for run in points:
            content = Path(client.download_artifacts(run.info.run_id, "point.rfz")).read_bytes()
            assert hashlib.sha256(content).hexdigest() == run.data.tags["ratefront.sha256"]
    finally:
        kill(server)
    kept = Bucket(f"s3://{bucket.NAME}/mlflow").files()
    assert len([name for name in kept if name.endswith("/point.rfz")]) == 2


def _has_file(journal: Journal, kind: str) -> bool:
    time.sleep(0.2)
    return any(name.endswith(f"/{kind}") for name in Bucket(journal.location).files("trials"))


def _digests(journal: Journal) -> dict[str, str]:
    ended: list[Any] = [journal.ended(trial_id) for trial_id in journal.trial_ids()]
    return {point.path: point.sha256 for record in ended if record is not None for point in record.points}

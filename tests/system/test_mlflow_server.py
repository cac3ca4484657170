"""MLflow as infra/mlflow serves it: real PostgreSQL, accounts, four processes that write, a backup that restores."""

from __future__ import annotations

import base64
import contextlib
import json
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from pandas.testing import assert_frame_equal

from analysis.points import tracking_database
from analysis.points.logged_runs import Condition
from analysis.points.mlflow import list_sweeps, load_points
from tests.analysis.points.store import write_everything
from tests.console import clean_environment
from tests.system.racing import prepared_by_all
from tests.system.serving import answers, free_port, kill, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SCRIPTS = Path(__file__).parents[2] / "infra" / "mlflow"
NUM_WRITERS, NUM_RUNS = 4, 50  # of each writer
NUM_METRICS, NUM_PARAMS = 10, 4
EVIL = {"Host": "mlflow.evil.example"}


@dataclass(frozen=True)
class Database:
    """PostgreSQL on loopback, and the files with the passwords of its administrator and of the server's role."""

    port: int
    files: Path
    bin: Path
    administrator: str = field(default_factory=lambda: secrets.token_hex(16))

    def run(self, *command: str | Path) -> str:
        """Run a command as the administrator of the database, as an operator would."""
        environment = {
            **self.environment,
            **{"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "postgres"},
            "PGPASSWORD": self.administrator,
        }
        return self._run(*command, environment=environment)

    def script(self, name: str, *arguments: str | Path) -> str:
        return self._run(SCRIPTS / name, *arguments, environment=self.environment)

    def _run(self, *command: str | Path, environment: dict[str, str]) -> str:
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the scripts."""
        return {
            **clean_environment(),
            "PATH": f"{Path(sys.executable).parent}:{self.bin}:{os.environ['PATH']}",
            "MLFLOW_DB_HOST": "127.0.0.1",
            "MLFLOW_DB_PORT": str(self.port),
            "MLFLOW_DB_PASSWORD_FILE": str(self.files / "database"),
            "MLFLOW_ADMIN_PASSWORD_FILE": str(self.files / "admin"),
            "MLFLOW_FLASK_SECRET_FILE": str(self.files / "flask"),
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.files / "artifacts"),
        }

    def secret(self, name: str) -> str:
        return (self.files / name).read_text()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert programs, "PostgreSQL is not installed: say sh tests/system/install.sh"
    found = Database(free_port(), tmp_path, programs[-1].parent)
    for name in ("database", "admin", "flask"):
        (tmp_path / name).write_text(secrets.token_hex(16))
    # PostgreSQL refuses to run as root, and pytest's folders are closed to others
    with tempfile.TemporaryDirectory(prefix="ratefront-postgres-") as folder:
        (Path(folder) / "password").write_text(found.administrator)
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            subprocess.run(["chown", "-R", user, folder], timeout=600, check=True)
        data = f"{folder}/data"
        initdb = [
            found.bin / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=scram-sha-256",
            f"--pwfile={folder}/password",
        ]
        subprocess.run(initdb, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=600, check=True)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": found.port,
            "unix_socket_directories": "",
            "log_statement": "all",
        }
        with (tmp_path / "postgres.log").open("wb") as log:
            process = subprocess.Popen(
                [found.bin / "postgres", "-D", data, *(f"--{key}={value}" for key, value in settings.items())],
                **{"user": user, "cwd": folder, "stdout": log, "stderr": log, "start_new_session": True},
            )
        try:
            ready = [found.bin / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={found.port}"]
            wait_for(lambda: subprocess.run(ready, timeout=10, check=False).returncode == 0)
            found.run(SCRIPTS / "create-databases.sh")
            yield found
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=600)
            kill(process)


@contextlib.contextmanager
def served(database: Database, port: int) -> Iterator[str]:
    """Run a server; yields its address. At the end it is asked to end, and does."""
    environment = {**database.environment, "MLFLOW_PORT": str(port)}
    with (database.files / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [SCRIPTS / "serve.sh"], env=environment, cwd="/", stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, (database.files / "server.log").read_text()
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=600)
    finally:
        kill(process)


class Watch:
    """Looks all the time for what must not be in the command line of any process."""

    def __init__(self, *words: str) -> None:
        self._words = [word.encode() for word in words]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: set[bytes] = set()
        self.num_looks = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=600)

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            self.num_looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has ended
                    line = path.read_bytes()
                    self.seen.update(line for word in self._words if word in line)


def status(url: str, data: bytes | None = None, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=600) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def add_user(database: Database, uri: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a user, and be that user from now on."""
    password = secrets.token_hex(16)
    credentials = database.files / f"{name}.credentials"
    credentials.write_text(f"[mlflow]\nmlflow_tracking_username = {name}\nmlflow_tracking_password = {password}\n")
    for answer in ("added", "is there already"):
        command = [sys.executable, str(SCRIPTS / "add_user.py"), str(credentials)]
        environment = {**database.environment, "MLFLOW_TRACKING_URI": uri}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        assert answer in said.stdout, said.stderr
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", name)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def metrics_of(number: int) -> dict[str, float]:
    return {f"m{one}": number + one / 8 for one in range(NUM_METRICS)}


def params_of(number: int) -> dict[str, str]:
    return {f"p{one}": f"{number}-{one}" for one in range(NUM_PARAMS)}


def write(uri: str, experiment_id: str, numbers: range) -> None:
    """Write the runs ``numbers`` as tracking does for each trial."""
    client = MlflowClient(uri)
    for number in numbers:
        run_id = client.create_run(experiment_id, run_name=str(number)).info.run_id
        metrics = [Metric(key, value, timestamp=0, step=0) for key, value in metrics_of(number).items()]
        client.log_batch(run_id, metrics, [Param(*one) for one in params_of(number).items()])
        client.log_text(run_id, f"artifact of {number}", "note.txt")
        client.set_terminated(run_id)


def check_everything(uri: str, experiment_id: str, artifacts: Path) -> None:
    runs = MlflowClient(uri).search_runs([experiment_id], max_results=1000)
    assert {int(run.info.run_name) for run in runs} == set(range(NUM_WRITERS * NUM_RUNS))
    assert len(runs) == NUM_WRITERS * NUM_RUNS
    for run in runs:
        number = int(run.info.run_name)
        assert run.info.status == "FINISHED"
        assert run.data.metrics == metrics_of(number)
        assert run.data.params == params_of(number)
        file = artifacts / experiment_id / run.info.run_id / "artifacts" / "note.txt"
        assert file.read_text() == f"artifact of {number}"
    served_by_it = MlflowClient(uri).download_artifacts(runs[0].info.run_id, "note.txt")
    assert Path(served_by_it).read_text() == f"artifact of {runs[0].info.run_name}"


def test_a_served_store_is_closed_loses_nothing_and_comes_back_from_a_backup(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, artifacts = free_port(), tmp_path / "artifacts"
    hidden = [database.secret(name) for name in ("database", "admin", "flask")] + [database.administrator]
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with Watch(*hidden) as watch:
        with served(database, port) as uri:
            page, admin = (
                f"{uri}/api/2.0/mlflow/experiments/get?experiment_id=0",
                basic("admin", database.secret("admin")),
            )
            assert status(f"{uri}/health") == 200
            assert [status(one) for one in (uri, page, f"{uri}/version")] == [401, 401, 401]
            assert status(page, **basic("admin", "password1234")) == 401
            assert status(page, **admin) == 200
            assert status(page, **admin, **EVIL) == 403

            add_user(database, uri, "sweeps", monkeypatch)
            experiment_id = MlflowClient(uri).create_experiment("written by four")
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(NUM_WRITERS, mp_context=spawn) as pool:
                numbers = [range(one * NUM_RUNS, (one + 1) * NUM_RUNS) for one in range(NUM_WRITERS)]
                for writer in [pool.submit(write, uri, experiment_id, some) for some in numbers]:
                    writer.result(timeout=600)
            check_everything(uri, experiment_id, artifacts)

            add_user(database, uri, "reader", monkeypatch)
            check_everything(uri, experiment_id, artifacts)
            with pytest.raises(MlflowException, match="Permission denied"):
                MlflowClient(uri).set_experiment_tag(experiment_id, "by", "reader")
            wanted = {"username": "reader", "resource_type": "experiment", "resource_id": experiment_id}
            grant = json.dumps({**wanted, "permission": "EDIT"}).encode()
            asked = {**admin, "Content-Type": "application/json"}
            assert status(f"{uri}/api/3.0/mlflow/users/permissions/grant", grant, **asked) == 200
            MlflowClient(uri).set_experiment_tag(experiment_id, "by", "reader")
            backups = tmp_path / "backups"
            backups.mkdir()
            backup = Path(database.script("backup.sh", backups).strip())
            assert [one.name for one in backups.iterdir()] == [backup.name]

        for name in ("mlflow", "mlflow_auth"):
            database.run("psql", "--dbname=postgres", "--command", f"DROP DATABASE {name}")
        database.run(SCRIPTS / "create-databases.sh")
        database.script("restore.sh", backup)
        with pytest.raises(AssertionError, match=r"database mlflow has [1-9][0-9]* tables"):
            database.script("restore.sh", backup)
        database.script("upgrade.sh")
        with served(database, port) as uri:
            check_everything(uri, experiment_id, artifacts)  # as the reader: accounts are back as well
    assert watch.num_looks > 100
    assert not watch.seen
    for log in ("server.log", "postgres.log"):
        text = (tmp_path / log).read_text()
        assert text
        assert "Traceback" not in text
        assert not [word for word in hidden if word in text]


def test_sweeps_of_one_name_that_start_together_on_postgresql_all_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(database, free_port()) as uri:
        add_user(database, uri, "racer", monkeypatch)
        assert prepared_by_all([(uri, f"name{index}") for index in range(30)]) == []


def test_points_read_from_postgresql_by_sql_are_those_that_mlflow_and_its_server_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(database, free_port()) as server:
        add_user(database, server, "reader", monkeypatch)
        write_everything(MlflowClient(server), f"{tmp_path}/artifacts")
        direct = f"postgresql+psycopg2://postgres:{database.administrator}@127.0.0.1:{database.port}/mlflow"
        for read in (load_points, list_sweeps):
            for asked in ([], ["digits"], ["digits-00000001", "empty"]):
                by_server = read(server, asked)
                with monkeypatch.context() as patch:
                    patch.setattr(tracking_database, "KNOWN_VERSIONS", frozenset())
                    by_mlflow = read(direct, asked)
                with monkeypatch.context() as patch:
                    patch.setattr("analysis.points.mlflow._Store", None)
                    by_sql = read(direct, asked)
                assert_frame_equal(by_sql, by_mlflow, check_exact=True)
                assert_frame_equal(by_sql, by_server, check_exact=True)
        assert load_points(direct)["config_hash"].tolist() == ["abc", "nan", "nan", "steps", "odd"]
        one_state(direct, MlflowClient(server))
    wrong = direct.replace(database.administrator, "wrong")
    assert tracking_database.open_database(wrong) is None
    assert tracking_database.open_database(direct.replace("/mlflow", "/postgres")) is None, "it has no tables"


def one_state(direct: str, client: MlflowClient) -> None:
    """Check that a transaction shows one state while a writer goes on, and cannot write itself."""
    swept = Condition(tags={"ratefront.kind": "sweep"})
    found = tracking_database.open_database(direct)
    assert found is not None
    with contextlib.closing(found):
        before = found.runs(swept, ["ratefront.sweep_id"])
        client.set_tag(before[0].run_id, "ratefront.sweep_id", "another-00000005")
        client.delete_run(before[1].run_id)
        assert found.runs(swept, ["ratefront.sweep_id"]) == before
        with pytest.raises(Exception, match="read-only transaction"):
            found._connection.exec_driver_sql("DELETE FROM tags")
    found = tracking_database.open_database(direct)
    assert found is not None
    with contextlib.closing(found):
        after = found.runs(swept, ["ratefront.sweep_id"])
    assert after[0].tags == {"ratefront.sweep_id": "another-00000005"}
    assert [run.run_id for run in after] == [before[0].run_id, before[2].run_id]

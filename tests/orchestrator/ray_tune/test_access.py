"""A cluster that is not joined says why in one line; a function plays Ray."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from ray.exceptions import AuthenticationError

from orchestrator.errors import SweepError
from orchestrator.ray_tune.access import joining, starting

REFUSED = b"gcs_client.cc:210: Failed to get cluster ID from GCS server: Unauthenticated: RPC error: InvalidAuthToken\n"
FILE = ", and RAY_AUTH_TOKEN_PATH to a file that holds the cluster's, where that is not ~/.ray/auth_token"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a token, on a machine where no cluster ever ran."""
    monkeypatch.setattr("ray._private.services.find_gcs_addresses", set)
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda folder: None)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


HERE = "127.0.0.1:6379"


@pytest.fixture
def cluster(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who started a cluster, which listens."""
    monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda folder: HERE)
    monkeypatch.setattr("ray._private.services.resolve_ip_for_localhost", lambda host: host)
    monkeypatch.setattr("orchestrator.ray_tune.access.check_answers", lambda address: None)
    return home


def fail_to_join(address: str, written: bytes, error: Exception) -> None:
    with joining(address):
        os.write(2, written)
        raise error


NOT_JOINED = ConnectionError("Failed to connect to Ray cluster at 127.0.0.1:6379")


def test_a_token_that_is_missing_is_one_line_with_the_variable(
    cluster: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SweepError) as caught:
        fail_to_join("auto", REFUSED * 20, NOT_JOINED)
    wanted = "the Ray cluster at 127.0.0.1:6379 wants a token and none was given: set RAY_AUTH_MODE=token"
    assert str(caught.value) == f"{wanted}{FILE}"
    assert capfd.readouterr().err == ""


def test_a_token_at_home_that_is_not_the_clusters_is_said_not_to_be_taken(
    cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(SweepError, match="none was given"), joining("auto"):
        raise AuthenticationError("Token authentication is enabled but no authentication token was found")
    (cluster / ".ray").mkdir()
    (cluster / ".ray" / "auth_token").write_text("0" * 64)
    with pytest.raises(SweepError, match="it does not take this one"):
        fail_to_join("auto", REFUSED, NOT_JOINED)


def test_all_else_that_ray_writes_is_passed_on_and_its_errors_are_one_line(
    cluster: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written = b"a warning\n" + REFUSED.replace(b"Unauthenticated", b"TimedOut") + b"the last words"
    mismatch = RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.50.0\n")
    with pytest.raises(SweepError) as caught:
        fail_to_join("auto", written, mismatch)
    said = "cannot join the Ray cluster at 127.0.0.1:6379: Version mismatch: The cluster was started with: Ray: 2.50.0"
    assert str(caught.value) == said
    assert capfd.readouterr().err == written.decode()
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_an_address_where_nothing_listens_is_refused_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # it is taken, and does not listen
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SweepError, match=f"no Ray cluster answers at {dead} .*such as host:6379"), joining(dead):
            raise AssertionError("Ray was asked, which tries for ever")
        monkeypatch.setenv("RAY_ADDRESS", dead)
        with pytest.raises(SweepError, match=f"no Ray cluster answers at {dead}"), joining("auto"):
            raise AssertionError("Ray was asked, which tries for ever")


def test_a_cluster_that_auto_remembers_and_that_has_ended_is_refused_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(SweepError, match=r"^no Ray cluster runs on this machine: .*such as host:6379$"),
        joining("auto"),
    ):
        raise AssertionError("Ray was asked")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setattr("ray._private.services.find_bootstrap_address", lambda folder: dead)
        monkeypatch.setattr("ray._private.services.resolve_ip_for_localhost", lambda host: host)
        with pytest.raises(SweepError, match=f"no Ray cluster answers at {dead}"), joining("auto"):
            raise AssertionError("Ray was asked, which tries for a quarter of an hour")


def test_ray_that_does_not_start_says_where_it_keeps_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "tmp"))
    free = re.escape(str(tmp_path / "tmp" / "ray"))
    with (
        pytest.raises(
            SweepError, match=rf"^Ray did not start \(Timed out waiting\): .* in {free}, whose disk has \d+ MB "
        ),
        starting(),
    ):
        raise RuntimeError("Timed out waiting\nfor a file")

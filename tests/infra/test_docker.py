"""The images, the compose files and the scripts of the tracking server: linted, valid, and closed to strangers."""

from __future__ import annotations

import configparser
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER, MLFLOW = ROOT / "infra" / "docker", ROOT / "infra" / "mlflow"
SCRIPTS = sorted([*DOCKER.glob("*.sh"), *MLFLOW.glob("*.sh")])
FINAL = ("cpu", "gpu", "mlflow")


def tool(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool that pip installed beside Python."""
    program = Path(sys.executable).parent / command[0]
    return subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=120, check=False)


@functools.cache
def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, in order: a word in capitals and what follows it."""
    text = re.sub(r"^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip()]
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in lines]


@functools.cache
def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for word, rest in instructions():
        if word == "FROM":
            name = rest.split()[-1]
            found[name] = []
        found[name].append((word, rest))
    return found


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    return dict(yaml.safe_load((DOCKER / name).read_text()))


@functools.cache
def services() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def test_the_dockerfile_passes_its_linter() -> None:
    linted = tool("hadolint", DOCKER / "Dockerfile")
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.name)
def test_a_script_passes_its_linter_and_can_be_run(script: Path) -> None:
    linted = tool("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", script)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert os.access(script, os.X_OK) == (script.name != "settings.sh")


@pytest.mark.parametrize("name", ["compose.yaml", "compose.gpu.yaml"])
def test_a_compose_file_is_valid(name: str) -> None:
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DOCKER / name)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_gpu_file_changes_services_that_are_there() -> None:
    assert set(compose("compose.gpu.yaml")["services"]) <= set(services())


def test_the_images_have_the_names_that_other_files_use_and_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    images = {service["image"] for service in services().values() if "ratefront" in service["image"]}
    assert images == {f"ratefront:{version}", f"ratefront-mlflow:{version}"}
    assert compose("compose.gpu.yaml")["services"]["ray-worker"]["image"] == f"ratefront:{version}-gpu"


def test_the_images_are_three() -> None:
    bases = {name: found[0][1].split()[0] for name, found in stages().items()}
    assert [name for name in bases if name not in bases.values()][-3:] == list(FINAL)


@pytest.mark.parametrize("name", FINAL)
def test_an_image_runs_as_no_root_and_has_no_build_tools(name: str) -> None:
    found = stages()[name]
    assert found[0] == ("FROM", f"runtime AS {name}")
    users = [rest for word, rest in found if word == "USER"]
    assert users == ["1000:1000"]  # numbers: Kubernetes cannot tell that a name is not root
    last = found.index(("USER", "1000:1000"))
    assert not [word for word, _ in found[last:] if word in {"RUN", "COPY", "ADD"}]
    installed = " ".join(rest for word, rest in stages()["runtime"] if word == "RUN")
    assert re.findall(r"--no-install-recommends ([a-z -]+?) *&&", installed) == ["wget"]


def test_every_base_image_is_pinned_by_a_full_version() -> None:
    images = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    foreign = [image for image in images if image not in stages()]
    foreign += [service["image"] for service in services().values() if "ratefront" not in service["image"]]
    assert len(foreign) >= 4
    for image in foreign:
        assert re.search(r":\d+\.\d+[.\w-]*$", image), image


def test_what_is_copied_is_in_the_repository_and_reaches_the_engine() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for path in rest.split()[:-1]:
                assert (ROOT / path).exists(), path
                allowed = path if path.count("/") == 0 else "/".join(path.split("/")[:2])
                assert f"!{allowed}" in ignored, path


def test_what_the_images_install_is_named_and_pinned_by_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pinned = {
        line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    names = {re.split(r"[\[<>=]", wanted)[0].lower() for wanted in extras["cluster"] + extras["server"]}
    assert {"ray", "mlflow", "psycopg2-binary", "boto3"} <= names <= pinned


def test_ports_are_published_on_loopback_alone() -> None:
    ports = [str(port) for service in services().values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8265:8265"]
    assert not any("network_mode" in service or "privileged" in service for service in services().values())


def test_stores_are_on_networks_that_lead_nowhere() -> None:
    internal = {name for name, network in compose()["networks"].items() if network.get("internal")}
    assert set(services()["postgres"]["networks"]) | set(services()["objects"]["networks"]) == internal
    assert not internal & {*services()["ray-head"]["networks"], *services()["ray-worker"]["networks"]}


@pytest.mark.parametrize("name", services())
def test_a_service_holds_no_rights_that_it_does_not_need(name: str) -> None:
    service = services()[name]
    assert service["user"] == "1000:1000"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in {"accounts", "backup"} else "unless-stopped")
    assert "healthcheck" in service or name in {"mlflow", "backup"}  # an image may have its own
    assert service["healthcheck"] if name not in {"mlflow", "backup"} else True


@pytest.mark.parametrize("name", services())
def test_a_service_names_files_for_secrets_and_no_secret(name: str) -> None:
    service = services()[name]
    known = {one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])}
    assert known <= set(compose()["secrets"])
    for variable, value in service.get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|TOKEN|KEY|CREDENTIALS", variable):
            assert variable.endswith(("_FILE", "_PATH")), variable
            assert str(value).removeprefix("/run/secrets/") in known, variable
        assert not re.search(r"://[^/]*:[^/]*@", str(value))
    said = json.dumps([service.get("command"), service.get("entrypoint")])
    assert not re.search(r"password|secret_key|token", said)


def test_what_is_mounted_from_the_repository_is_there() -> None:
    mounted = [str(volume) for service in services().values() for volume in service.get("volumes", [])]
    paths = [one.split(":")[0] for one in mounted if one.startswith(".")]
    assert paths
    assert all((DOCKER / path).exists() for path in paths)


def test_the_nodes_of_ray_share_token_folder_and_what_they_call_a_hung_node() -> None:
    head, worker = services()["ray-head"], services()["ray-worker"]
    assert head["environment"] == worker["environment"]
    assert head["environment"]["RAY_AUTH_MODE"] == "token"
    assert head["environment"]["RAY_health_check_failure_threshold"] == "3"
    assert {"sweeps:/sweeps"} <= set(head["volumes"]) & set(worker["volumes"])
    assert head["image"] == worker["image"]


def test_secrets_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    script = shutil.copy(DOCKER / "make-secrets.sh", tmp_path)
    folder = tmp_path / "secrets"

    def made() -> dict[str, str]:
        subprocess.run([script], capture_output=True, timeout=60, check=True)
        return {path.name: path.read_text() for path in folder.iterdir()}

    first = made()
    assert {f"./secrets/{name}" for name in first} == {one["file"] for one in compose()["secrets"].values()}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "ray_token").unlink()
    second = made()
    assert second.pop("ray_token") != first.pop("ray_token")
    assert second == first
    assert len(set(re.findall(r"[0-9a-f]{48}", "".join(first.values())))) == 6  # the store's key is in two files

    key = json.loads(first["s3.json"])["identities"][0]["credentials"][0]["secretKey"]
    assert f"aws_secret_access_key = {key}\n" in first["s3_credentials"]
    credentials = configparser.ConfigParser()
    credentials.read_string(first["mlflow_credentials"])
    assert credentials["mlflow"]["mlflow_tracking_username"] == "sweeps"


def test_secrets_and_backups_are_never_committed() -> None:
    assert (DOCKER / ".gitignore").read_text().split() == ["/secrets/", "/backups/"]


def test_the_server_says_each_setting_that_is_missing(tmp_path: Path) -> None:
    nothing = {"PATH": os.environ["PATH"]}
    started = subprocess.run(
        [MLFLOW / "serve.sh"], env=nothing, capture_output=True, text=True, timeout=60, check=False
    )
    assert started.returncode == 2
    lines = started.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "set MLFLOW_DB_HOST",
        "set MLFLOW_DB_PASSWORD_FILE",
        "set MLFLOW_ADMIN_PASSWORD_FILE",
        "set MLFLOW_FLASK_SECRET_FILE",
        "set MLFLOW_ARTIFACTS_DESTINATION",
    ]
    (tmp_path / "empty").touch()
    wrong = {**nothing, "MLFLOW_DB_HOST": "localhost", "MLFLOW_DB_PASSWORD_FILE": str(tmp_path / "empty")}
    for script in ("backup.sh", "restore.sh"):
        for dump in ("mlflow.dump", "mlflow_auth.dump"):
            (tmp_path / dump).touch()
        said = subprocess.run(
            [MLFLOW / script, tmp_path], env=wrong, capture_output=True, text=True, timeout=60, check=False
        )
        assert said.returncode == 2
        assert said.stderr.startswith(f"{script}: MLFLOW_DB_PASSWORD_FILE={tmp_path / 'empty'}: no file that")


def test_accounts_are_beside_the_runs_and_hold_no_password() -> None:
    settings = configparser.ConfigParser()
    settings.read(MLFLOW / "auth.ini")
    assert settings["mlflow"]["database_uri"] == "postgresql+psycopg2:///mlflow_auth"
    assert not [key for key in settings["mlflow"] if "password" in key]

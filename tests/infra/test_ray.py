"""The files of `ray up`, as Ray reads them, and what they must not do; checked without a cloud."""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RAY = ROOT / "infra" / "ray"
NAMES = ("aws.yaml", "gcp.yaml", "onpremise.yaml")
COMMANDS = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)

pytestmark = pytest.mark.parametrize("name", NAMES)


@functools.cache
def raw(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((RAY / name).read_text()))


@functools.cache
def prepared(name: str) -> dict[str, Any]:
    """The configuration with Ray's defaults, as the launcher sees it."""
    from ray.autoscaler._private.util import prepare_config

    return dict(prepare_config(raw(name)))


def workers(name: str) -> dict[str, dict[str, Any]]:
    return {key: value for key, value in raw(name)["available_node_types"].items() if key != "head"}


def options(name: str) -> list[str]:
    return list(raw(name)["docker"]["run_options"])


def test_rays_schema_allows_it(name: str) -> None:
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(raw(name), schema)


def test_rays_launcher_takes_it(name: str) -> None:
    from ray.autoscaler._private.util import validate_config

    validate_config(prepared(name))


def test_nothing_is_installed_but_what_is_written_here(name: str) -> None:
    assert [prepared(name)[key] for key in COMMANDS] == [raw(name)[key] for key in COMMANDS]
    assert prepared(name)["setup_commands"] == prepared(name)["head_setup_commands"] == []


def test_the_commands_are_shell(name: str) -> None:
    for command in itertools.chain.from_iterable(raw(name)[key] for key in COMMANDS):
        checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        linter = Path(sys.executable).parent / "shellcheck"
        # Ray sets RAY_HEAD_IP; words of one line that are to be split or read literally are meant so
        script = f"#!/bin/bash\n{command}\n"
        linted = subprocess.run(
            [linter, "--exclude=SC2154,SC2086,SC2088", "-"], input=script, capture_output=True, text=True, check=False
        )
        assert linted.returncode == 0, linted.stdout


def test_the_cluster_asks_for_a_token_that_comes_in_a_file(name: str) -> None:
    assert raw(name)["file_mounts"] == {
        "/etc/ratefront/token": "~/.ratefront/token",
        "/home/ratefront/.mlflow": "~/.mlflow",
    }
    assert {"--env=RAY_AUTH_MODE=token", "--env=RAY_AUTH_TOKEN_PATH=/etc/ratefront/token/token"} <= set(options(name))


def test_a_node_that_hangs_is_given_up_soon(name: str) -> None:
    times = {f"--env=RAY_health_check_{what}_ms=1000" for what in ("initial_delay", "period", "timeout")}
    assert {*times, "--env=RAY_health_check_failure_threshold=3"} <= set(options(name))


def test_nothing_listens_beyond_the_head_but_for_the_cluster(name: str) -> None:
    (start,) = [command for command in raw(name)["head_start_ray_commands"] if "--head" in command]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in (RAY / name).read_text()
    assert not [option for option in options(name) if option.startswith(("-p", "--publish"))]


def test_all_nodes_share_the_folder_of_sweeps(name: str) -> None:
    assert "--volume=/sweeps:/sweeps" in options(name)
    commands = raw(name)["initialization_commands"]
    assert "mountpoint --quiet /sweeps ||" in commands[-1], "mounted before the container starts, or refused"
    assert all("docker run" not in command for command in commands)


def test_the_head_stays_and_trains_nothing(name: str) -> None:
    if name == "onpremise.yaml":
        assert "--num-cpus=0" in raw(name)["head_start_ray_commands"][1]
        return
    head = raw(name)["available_node_types"]["head"]
    assert head["resources"] == {"CPU": 0}
    assert raw(name)["head_node_type"] == "head"
    assert not {"InstanceMarketOptions", "scheduling"} & set(head["node_config"])


def test_workers_are_spot_and_bounded(name: str) -> None:
    if name == "onpremise.yaml":
        kind = prepared(name)["available_node_types"]["local.cluster.node"]
        assert kind["min_workers"] == kind["max_workers"] == len(raw(name)["provider"]["worker_ips"])
        return
    assert set(workers(name)) == {"cpu", "gpu"}
    for kind in workers(name).values():
        configuration = kind["node_config"]
        spot = configuration.get("InstanceMarketOptions") or configuration["scheduling"]
        assert spot.get("MarketType") == "spot" or spot["provisioningModel"] == "SPOT"
        assert 0 < kind["max_workers"] <= raw(name)["max_workers"]
        assert kind.get("min_workers", 0) == 0
    assert raw(name)["provider"]["cache_stopped_nodes"] is False, "a stopped node costs its disk"
    assert 0 < raw(name)["idle_timeout_minutes"] <= 10


def test_workers_cannot_make_nodes(name: str) -> None:
    configurations = {key: kind["node_config"] for key, kind in raw(name).get("available_node_types", {}).items()}
    if name == "aws.yaml":
        profiles = {key: value["IamInstanceProfile"]["Name"] for key, value in configurations.items()}
        assert profiles == {"head": "ratefront-head", "cpu": "ratefront-node", "gpu": "ratefront-node"}
        policy = json.loads((RAY / "aws-head-policy.json").read_text())
        assert "*" not in [action for statement in policy["Statement"] for action in statement["Action"]]
        json.loads((RAY / "aws-trust.json").read_text())
    if name == "gcp.yaml":
        accounts = [value["serviceAccounts"][0]["email"] for key, value in configurations.items() if key != "head"]
        assert {account.partition("@")[0] for account in accounts} == {"ratefront-node"}


def test_images_are_of_this_version_and_gpus_are_where_they_are_said_to_be(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert raw(name)["docker"]["image"].endswith(f"/ratefront-ray:{version}")
    for key, kind in workers(name).items() if name != "onpremise.yaml" else ():
        assert ("GPU" in kind["resources"]) == (key == "gpu") == ("docker" in kind)
        if key == "gpu":
            assert kind["docker"]["worker_image"] == raw(name)["docker"]["image"] + "-gpu"
            assert kind["docker"]["worker_run_options"] == ["--gpus=all"]


def test_it_holds_no_secret(name: str) -> None:
    text = (RAY / name).read_text()
    assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|--password[= ]|RAY_AUTH_TOKEN=", text)


def test_the_image_can_be_started_by_the_launcher(name: str) -> None:
    lines = (RAY / "Dockerfile").read_text().splitlines()
    assert {"USER 1000:1000", "ENV HOME=/home/ratefront", "ENTRYPOINT []"} <= set(lines)
    wanted = {"aws.yaml": "boto3", "gcp.yaml": "google-api-python-client", "onpremise.yaml": ""}[name]
    requirements = (RAY / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in requirements)
    assert not wanted or wanted in [line.partition("==")[0] for line in requirements]
    linted = subprocess.run(
        [Path(sys.executable).parent / "hadolint", RAY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr

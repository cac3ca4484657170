"""A user's mistake gets one line and exit code 2, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.console import call

MISTAKES = {
    "recipe": (["sweep", "digitz"], "did you mean 'digits'?"),
    "method": (["sweep", "digits", "--method", "eprr"], "did you mean 'epr'?"),
    "task": (["plan", "digits", "--task", "digit"], "did you mean 'digits'?"),
    "architecture": (["plan", "digits", "--architecture", "mlpp"], "did you mean 'mlp'?"),
    "field": (["plan", "digits", "--set", "method.lma=0.1"], "did you mean 'method.lam'?"),
    "negative lam": (["plan", "digits", "--set", "method.lam=-1"], "lam is -1.0: wanted a number of at least 0"),
    "wrong type": (["plan", "digits", "--set", "steps=many"], "steps"),
    "empty space": (["plan", "digits", "--set", "method.lam=[]"], "at least one value"),
    "resume and new": (["sweep", "digits", "--resume", "--new"], "give one of them"),
    "nothing": (["sweep"], "give a recipe or a sweep file"),
    "layers": (["sweep", "digits", "--set", "architecture.hidden=[0]"], "hidden[0] is 0: wanted a whole number"),
    "inputs": (
        ["sweep", "digits", "--architecture", "lenet5"],
        "architecture 'lenet5': the architecture does not take",
    ),
    "planned inputs": (
        ["plan", "digits", "--architecture", "lenet5"],
        "architecture 'lenet5': the architecture does not take inputs of shape (1, 8, 8): ",
    ),
    "no data": (["sweep", "digits", "--task", "mnist"], "is unavailable"),
    "no data to plan with": (["plan", "digits", "--task", "mnist"], "is unavailable"),
    "no initial values": (["plan", "digits", "--set", "init_from=net.pth"], "net.pth (No such file or directory)"),
    "unknown network": (
        ["sweep", "digits", "--set", "init_from=resnet20"],
        "a trained network's name: resnet20_cifar10",
    ),
    "no server": (["sweep", "digits", "--tracking-uri", "http://127.0.0.1:9"], "no MLflow server answers"),
    "no database": (["frontier"], "no tracking database"),
    "no file": (["inspect", "nothing.rfz"], "cannot be read"),
    "no budget": (["best"], "give one of --max-size"),
    "file store": (["list", "--tracking-uri", "./mlruns"], "MLflow 3 has no file store: use sqlite:///mlflow.db"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_line_and_exit_code_two(name: str, tmp_path: Path) -> None:
    arguments, expected = MISTAKES[name]
    # a closed loopback port stands for a missing network; no cached download may help
    offline = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    said = call(tmp_path, *arguments, RATEFRONT_DATA=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), **offline)
    assert said.returncode == 2, said.stdout + said.stderr
    assert expected in said.stderr
    assert said.stderr.startswith("ratefront: ")
    assert said.stderr.count("\n") == 1


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    said = call(tmp_path, "swep")
    assert said.returncode == 2
    assert "No such command 'swep'" in said.stderr


@pytest.mark.parametrize(
    "command", ["sweep", "plan", "frontier", "best", "list", "ui", "inspect", "decode", "evaluate"]
)
def test_every_command_explains_itself_with_an_example(command: str, tmp_path: Path) -> None:
    said = call(tmp_path, command, "--help")
    assert said.returncode == 0
    assert f"Example: ratefront {command}" in " ".join(said.stdout.split())

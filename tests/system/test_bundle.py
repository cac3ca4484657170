"""A bundle compiles without a warning, and its program computes what PyTorch computes, on memory that it owns."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.trainers.bundling.networks import opened
from trainers.bundling.c_program import Bundle, bundle
from trainers.compressed import Opened, open_compressed

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

RESULTS = Path(__file__).parents[2] / "results"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SOURCES = ["main.c", "net.c", "layers.c", "rfz.c"]


def built(made: Bundle, folder: Path) -> Path:
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    command = ["cc", *STRICT, *SANITIZERS, *SOURCES, "-lm", "-o", "check"]
    subprocess.run(command, check=True, cwd=folder, timeout=300)
    return folder / "check"


def check(one: Opened, folder: Path) -> str:
    found = subprocess.run([built(bundle(one), folder)], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert re.fullmatch(r"ok: \d+ outputs, the largest \S+, are within \S+ of PyTorch's\n", found.stdout)
    return found.stdout


@pytest.mark.parametrize(
    ("name", "step", "arguments"),
    [
        ("mlp", 0.05, {"input_shape": [3, 5], "num_outputs": 2, "hidden": [7, 4]}),
        ("lenet300_100", 0.05, {}),
        ("cnn", 0.05, {"input_shape": [2, 9, 13], "num_outputs": 3, "channels": [3, 5]}),
        ("resnet_cifar", 0.05, {"depth": 8, "input_shape": [3, 17, 17], "num_outputs": 4}),
    ],
)
def test_a_program_computes_what_pytorch_computes(
    name: str, step: float, arguments: dict[str, Any], tmp_path: Path
) -> None:
    check(opened(name, step=step, **arguments), tmp_path)


@pytest.mark.parametrize("sweep", ["lenet5_mnist_long", "posttraining_resnet20", "digits_demo"])
def test_a_committed_file_computes_what_pytorch_computes(sweep: str, tmp_path: Path) -> None:
    check(open_compressed(next(iter(sorted((RESULTS / sweep / "frontier").glob("*.rfz"))))), tmp_path)


def test_a_program_says_where_it_is_wrong(tmp_path: Path) -> None:
    made = bundle(opened("mlp", input_shape=[3], num_outputs=2, hidden=[4]))
    wrong = made.files["net.c"].replace(
        b"net_clamp(values + 0, values + 0, 4, 0.0F", b"net_clamp(values + 0, values + 0, 4, 2.0F"
    )
    assert wrong != made.files["net.c"]
    made.files["net.c"] = wrong
    found = subprocess.run([built(made, tmp_path)], capture_output=True, text=True, timeout=60)
    assert found.returncode == 1
    assert found.stdout.startswith("FAILED: 2 outputs")


def test_a_damaged_file_in_a_program_is_an_error_code(tmp_path: Path) -> None:
    made = bundle(opened("mlp", input_shape=[3], num_outputs=2, hidden=[4]))
    start = made.files["net.c"].index(b"file[] = {")
    made.files["net.c"] = made.files["net.c"][:start] + made.files["net.c"][start:].replace(b"0x", b"1^0x", 1)
    found = subprocess.run([built(made, tmp_path)], capture_output=True, text=True, timeout=60)
    assert found.returncode == 1
    assert found.stdout == "FAILED: the reader's answer is -1 (rfz.h says what that is)\n"

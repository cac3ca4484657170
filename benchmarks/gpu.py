"""What there is to measure on a machine with one GPU, in some minutes, the most valuable part first.

    python -m benchmarks.gpu --minutes 8 --data DIR --out DIR    # the same command again goes on from there
    python -m benchmarks.gpu --minutes 1 --data DIR --out DIR --device cpu --smoke    # tries it, with tiny networks

1. ``tests.txt``: the tests marked ``gpu``.
2. ``steps.csv``: a step of epr against one of plain training, and images a second.
3. ``points.csv``, ``files.zip``: the recipe vgg16_cifar10 at two values of lam, its schedule shortened to fit.

``table.md`` shows all that is there, and what was left out and why. It wants PyTorch and no network. MNIST and CIFAR-10
are read from ``--data``, laid out as below ``RATEFRONT_DATA``. Each part is a process that is ended half a minute after
the time is up at the latest. What a later call goes on from is beside ``--out``, in a folder that ends in ``.work``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.gpu_setting import LEFT_OUT, Setting, rows_of
from orchestrator.environment import commit, processor, versions
from trainers.record import write_atomically

_ROOT = Path(__file__).parents[1]
_TESTS = "tests/gpu"
_STORES = ("constriction", "numba")
_SWEEPS = ("matplotlib", "mlflow", "moocore", "optuna", "pandas", "plotly", "ray", "rich", "scipy", "typer")
_NEEDED_BY_TESTS = {  # in the order of their value
    "test_training.py": _STORES,
    "test_trials.py": (*_STORES, "pydantic"),
    "test_sweep.py": (*_STORES, "pydantic", *_SWEEPS),
}
_GRACE_S = 20.0
"""How long after its time a part is ended; some seconds more are its end."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part that is a module of its own."""

    module: str
    share: float
    """Its most of the time that is left."""
    needs: tuple[str, ...] = ()
    """What it imports beside PyTorch, numpy, safetensors and llvmlite, which nothing does without."""


_PARTS = {
    "steps": Part(module="benchmarks.gpu_steps", share=0.35),
    "training": Part(module="benchmarks.gpu_training", share=1.0, needs=_STORES),
}
_SHARE_OF_TESTS = 0.4
_ENDED = "pytest ended with"
_RAN = (f"{_ENDED} 0", f"{_ENDED} 1")
"""How the text begins where tests ran, and passed or failed; else they are run again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="it ends half a minute after them at the latest")
    parser.add_argument("--data", type=Path, required=True, help="the folder of MNIST and CIFAR-10")
    parser.add_argument("--out", type=Path, required=True, help="the folder of the results")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--smoke", action="store_true", help="tiny networks on digits, to try the command")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device is cuda, and torch sees no GPU: wanted one, or --device cpu --smoke to try the command")
    setting = Setting(
        data=arguments.data.resolve(),
        out=arguments.out.resolve(),
        device=torch.device(arguments.device),
        until=time.time() + 60 * arguments.minutes,
        is_smoke=arguments.smoke,
    )
    for folder in (setting.out, setting.work):
        folder.mkdir(parents=True, exist_ok=True)
    left_out = run_tests(shared(setting, _SHARE_OF_TESTS))
    for name, part in _PARTS.items():
        write_atomically(setting.out / "table.md", page(setting, left_out).encode())
        left_out += run_part(name, part, shared(setting, part.share))
    write_atomically(setting.out / "table.md", page(setting, left_out).encode())
    print((setting.out / "table.md").read_text())


def shared(setting: Setting, share: float) -> Setting:
    """The setting of a part that has a share of the time that is left."""
    return replace(setting, until=time.time() + share * setting.left_s)


def run_tests(setting: Setting) -> list[str]:
    """Run the tests that need a GPU, unless they have run; returns what was left out."""
    path = setting.out / "tests.txt"
    if path.exists() and (earlier := path.read_text()).startswith(_RAN):
        return left_out_of(earlier)
    if missing := why_missing(("pytest",)):
        return [f"tests: {missing}"]
    left_out, files = [], []
    for file, packages in _NEEDED_BY_TESTS.items():
        if missing := why_missing(packages):
            left_out.append(f"{_TESTS}/{file}: {missing}")
        else:
            files.append(f"{_TESTS}/{file}")
    if not files:
        return left_out
    # without the options and fixtures of the whole suite, which need more packages
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", f"--confcutdir={_TESTS}"]
    command += ["-m", "gpu", "--continue-on-collection-errors", "--tb=short", "--durations=10", *files]
    if setting.device.type == "cpu":
        left_out.append("tests marked gpu: they are only collected, for --device is cpu")
    command.append("--collect-only" if setting.device.type == "cpu" else "-v")
    code, text = ended(command, setting, "tests")
    how = "pytest was stopped, its time was up" if code is None else f"{_ENDED} {code}"
    lines = [how, *(LEFT_OUT + one for one in left_out), text]
    write_atomically(path, "\n".join(lines).encode())
    return left_out


def left_out_of(text: str) -> list[str]:
    """What its lines say was left out."""
    return [line.removeprefix(LEFT_OUT) for line in text.splitlines() if line.startswith(LEFT_OUT)]


def run_part(name: str, part: Part, setting: Setting) -> list[str]:
    """Run a part; returns what was left out."""
    if missing := why_missing(part.needs):
        return [f"{name}: {missing}"]
    command = [sys.executable, "-m", part.module, "--data", str(setting.data), "--out", str(setting.out)]
    command += ["--device", str(setting.device), "--until", str(setting.until), *["--smoke"] * setting.is_smoke]
    code, text = ended(command, setting, name)
    lines, found = text.strip().splitlines(), left_out_of(text)
    if code is None:
        found.append(f"{name}: it was stopped, its time was up")
    elif code:
        found.append(f"{name}: it ended with {code}, {lines[-1] if lines else 'without a word'}")
    return found


def why_missing(packages: Sequence[str]) -> str:
    """What hinders the import of one of the packages, in one line; empty where nothing does."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError as error:
            return " ".join(str(error).split())
    return ""


def ended(command: list[str], setting: Setting, name: str) -> tuple[int | None, str]:
    """The exit code of a process, None where the time was up before its end, and what it wrote."""
    print(f"{name}, {setting.left_s:.0f} s at most ...", flush=True)
    log = setting.work / f"{name}.log"
    environment = {
        **os.environ,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # else cuBLAS sums in any order
        "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # whatever is installed there
        "RATEFRONT_DATA": str(setting.data),
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, cwd=_ROOT, env=environment, start_new_session=True
        )
        code = None
        try:
            code = process.wait(max(0.0, setting.left_s + _GRACE_S))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(subprocess.TimeoutExpired):
                os.killpg(process.pid, signal.SIGINT)
                process.wait(5)
        finally:
            with contextlib.suppress(ProcessLookupError):  # all have ended
                os.killpg(process.pid, signal.SIGKILL)
    text = log.read_text(errors="replace")
    print(text, flush=True)
    return code, text


def page(setting: Setting, left_out: Sequence[str]) -> str:
    """All that is there, as Markdown."""
    device = torch.cuda.get_device_name() if setting.device.type == "cuda" else "no GPU"
    packages = ", ".join(f"{name.removeprefix('version.')} {version}" for name, version in versions().items())
    lines = [
        f"{device}; {processor()}, {os.cpu_count()} CPUs; {platform.system()} {platform.machine()}; {packages}; "
        f"commit {commit()}",
        *["Tiny networks on digits, to try the command: these numbers say nothing."] * setting.is_smoke,
    ]
    tests = setting.out / "tests.txt"
    if tests.exists():
        first, *_, last = tests.read_text().strip().splitlines()
        lines.append(f"Tests marked `gpu`: {first}; {last.strip('= ')}")
    steps = ("network", "data", "precision", "batch_size", "plain_ms", "epr_ms", "ratio", "plain_images_s")
    steps += ("epr_images_s", "n")
    points = ("trial_id", "num_steps", "train_s", "size_bytes", "quality_val", "quality")
    lines += [table(setting.out / "steps.csv", steps), table(setting.out / "points.csv", points)]
    lines += [f"Left out: {one}" for one in left_out]
    return "\n\n".join(filter(None, lines)) + "\n"


def table(path: Path, columns: Sequence[str]) -> str:
    """Some columns of a CSV file as Markdown; empty where it is not there."""
    rows = [columns, ["---"] * len(columns), *([short(row[name]) for name in columns] for row in rows_of(path))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) if path.exists() else ""


def short(cell: str) -> str:
    """A number with as many digits as one reads; any other text as it is."""
    with contextlib.suppress(ValueError):
        return f"{float(cell):.7g}"
    return cell


if __name__ == "__main__":
    main()

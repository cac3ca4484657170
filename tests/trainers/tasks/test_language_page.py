"""Every block of docs/language.md runs."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

from orchestrator.planning.study import plan
from orchestrator.sweep.file import load_sweep
from trainers.compressed import open_compressed
from trainers.config import TrialConfig
from trainers.train import train

PAGE = (Path(__file__).parents[3] / "docs" / "language.md").read_text()
PYTHON, YAML = (re.findall(rf"```{kind}\n(.*?)```", PAGE, flags=re.DOTALL) for kind in ("python", "yaml"))


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "letters.txt").write_text("so long as men can breathe or eyes can see, " * 30)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_sweep_of_ones_own_text_trains(letters: Path) -> None:
    block, _ = YAML
    (letters / "own.yaml").write_text(block)
    trials = plan(load_sweep(letters / "own.yaml"))
    assert len(trials) == 2
    config = TrialConfig.from_dict({**trials[0].config.to_dict(), "steps": 60})
    (point,) = train(config, lambda progress: None, letters / "trial")
    assert point.quality_name == "bits_per_byte"
    assert point.quality < 4


def test_a_network_of_ones_own_has_the_characters_in_its_file(letters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block, _ = PYTHON
    page = types.ModuleType("page_of_language")
    exec(block, vars(page))
    monkeypatch.setitem(sys.modules, page.__name__, page)
    config = TrialConfig.from_dict(
        {
            "task": {"name": "text", "file": "letters.txt", "context": 8},
            "architecture": "page_of_language:bigram",
            "method": {"name": "ptq", "bits": 6, "learning_rate": 0.1},
            "steps": 100,
        }
    )
    (point,) = train(config, lambda progress: None, letters / "trial")
    assert point.quality < 3
    opened = open_compressed(Path(point.path), architecture=vars(page)["bigram"])
    assert opened.header.arguments["characters"] == "".join(sorted({*(letters / "letters.txt").read_text()}))


def test_the_table_of_ones_own_trains_a_network_of_ones_own(letters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (letters / "own.py").write_text(PYTHON[1])
    monkeypatch.syspath_prepend(letters)
    words = [name.strip("_") for name in dir(str)]
    rows = [
        f"{said} {' '.join(words[n : n + 4])},{stars}" for said, stars in (("good", 5), ("bad", 1)) for n in range(70)
    ]
    (letters / "reviews.csv").write_text("\n".join(["text,stars", *rows]))
    (letters / "own.yaml").write_text(YAML[1])
    trials = plan(load_sweep(letters / "own.yaml"))
    assert len(trials) == 2
    (point,) = train(trials[0].config, lambda progress: None, letters / "trial")
    monkeypatch.delitem(sys.modules, "own")
    assert point.quality_name == "accuracy"
    assert point.quality > 0.7

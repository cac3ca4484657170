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
    (block,) = YAML
    (letters / "own.yaml").write_text(block)
    trials = plan(load_sweep(letters / "own.yaml"))
    assert len(trials) == 2
    config = TrialConfig.from_dict({**trials[0].config.to_dict(), "steps": 60})
    (point,) = train(config, lambda progress: None, letters / "trial")
    assert point.quality_name == "bits_per_byte"
    assert point.quality < 4


def test_a_network_of_ones_own_has_the_characters_in_its_file(letters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = PYTHON
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

"""A text as a task, and its network as a file that is measured by itself."""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.console import call
from tests.trainers.trials import run
from trainers.compressed import load_compressed, open_compressed
from trainers.config import TrialConfig
from trainers.data.windows import IGNORED
from trainers.downloads import DataUnavailableError
from trainers.evaluate import measure
from trainers.instantiate import make_task
from trainers.tasks import TASKS
from trainers.train import train

SENTENCES = "Ein Bär aß süße Früchte; 熊 ißt. " * 40


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(SENTENCES, encoding="utf-8")
    return path


def config_of(story: Path, *, task: Any = (), architecture: Any = (), **changes: Any) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "task": {"name": "text", "file": str(story), "context": 8, **dict(task)},
            "architecture": {"name": "gpt", "layers": 1, "width": 16, "heads": 2, **dict(architecture)},
            "method": {"name": "epr", "lam": 0.01, "learning_rate": 0.02},
            "steps": 80,
            "batch_size": 16,
            **changes,
        }
    )


class Even(torch.nn.Module):
    """All tokens are equally likely."""

    def __init__(self, num_tokens: int) -> None:
        super().__init__()
        self.num_tokens = num_tokens

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, self.num_tokens)


@pytest.mark.parametrize("vocabulary", ["bytes", "characters"])
@pytest.mark.parametrize("stride", [0, 1, 3, 8])
def test_quality_is_in_bits_for_each_byte_of_the_split(story: Path, vocabulary: str, stride: int) -> None:
    task = TASKS["text"](file=str(story), vocabulary=vocabulary, context=8, stride=stride)
    content = story.read_bytes()
    num_tokens = 256 if vocabulary == "bytes" else len({*SENTENCES})
    assert task.offers["num_outputs"] == num_tokens
    last = content[len(content) * 95 // 100 :].decode(errors="ignore")  # what is cut begins with a character
    counted = len(last.encode()) if vocabulary == "bytes" else len(last)
    measured = measure(Even(num_tokens), task.test, task)
    assert measured.quality == pytest.approx(counted * math.log2(num_tokens) / len(last.encode()), rel=1e-6)
    assert measured.others["perplexity"] == pytest.approx(num_tokens, rel=1e-6)


def test_splits_follow_each_other_and_are_the_same_for_both_vocabularies(story: Path) -> None:
    found = {}
    for vocabulary in ("bytes", "characters"):
        task = TASKS["text"](file=str(story), vocabulary=vocabulary, context=8)
        texts = []
        for passage in (task.validation, task.test):
            targets = passage.take(torch.arange(len(passage))).targets
            tokens = targets[targets != IGNORED].tolist()
            characters = task.offers["characters"]
            texts.append("".join(characters[one] for one in tokens) if characters else bytes(tokens).decode())
        windows = task.train.take(torch.arange(len(task.train)))
        train = [*windows.inputs[0].tolist(), *windows.targets[:, -1].tolist()]
        texts.insert(0, "".join(characters[one] for one in train) if characters else bytes(train).decode())
        found[vocabulary] = texts
    assert found["bytes"] == found["characters"]
    assert "".join(found["bytes"]) == SENTENCES


def test_a_file_alone_says_what_its_tokens_are(story: Path, tmp_path: Path) -> None:
    (point,) = train(config_of(story), lambda progress: None, tmp_path / "trial")
    assert point.quality_name == "bits_per_byte"
    assert point.quality < 3 < math.log2(len({*SENTENCES}))
    opened = open_compressed(Path(point.path))
    assert opened.header.arguments["characters"] == "".join(sorted({*SENTENCES}))
    other = tmp_path / "other.txt"
    other.write_text("ein Bär " * 60, encoding="utf-8")  # of fewer characters
    said = call(tmp_path, "evaluate", point.path, "--task", f"{{name: text, file: {story}}}")
    assert f"bits_per_byte {point.quality:.4f}, perplexity" in said.stdout, said.stderr
    assert call(tmp_path, "evaluate", point.path, "--task", f"{{name: text, file: {other}}}").returncode == 0
    other.write_text("ein Dachs " * 60, encoding="utf-8")
    refused = call(tmp_path, "evaluate", point.path, "--task", f"{{name: text, file: {other}}}")
    assert "other.txt has the character 'D', which is none of the 19 of the network" in refused.stderr


def test_any_bytes_are_learned_and_other_networks_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.raw"
    path.write_bytes(bytes(range(250, 90, -1)) * 8)
    config = config_of(path, task={"vocabulary": "bytes"}, method={"name": "ptq", "bits": 6}, steps=5)
    run(config, tmp_path / "trial")
    header = open_compressed(tmp_path / "trial/point.rfz").header
    assert header.arguments == {"context": 8, "heads": 2, "layers": 1, "width": 16}, "256 tokens are the default"
    with pytest.raises(ValueError, match=r"sound.raw is no text in UTF-8 \(byte 0 is 0xfa\): recode it, or take voc"):
        make_task(config_of(path).task)
    task, network = make_task(config.task), load_compressed(tmp_path / "trial/point.rfz")
    assert measure(network, task.test, task).quality > 0
    with pytest.raises(ValueError, match=r"^the network returns \(\d+, 8\): wanted logits \(\*\(\d+, 8\), tokens\)$"):
        measure(torch.nn.Flatten(), task.test, task)


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"", {}, "text.txt has 0 characters: wanted more than 64, the context, in the first 90 %"),
        (b"", {"vocabulary": "bytes"}, "text.txt is empty"),
        (b"abc" * 20, {}, "text.txt has 60 characters: wanted more than 64"),
        ("".join(map(chr, range(0x4E00, 0x5200))).encode(), {}, "text.txt has 1024 different characters, which take"),
        (b"abc" * 90, {"vocabulary": "words"}, "vocabulary is 'words': wanted characters or bytes"),
        (b"abc" * 90, {"stride": 65}, "stride is 65: wanted a whole number of at least 0 and at most 64"),
        (b"abc" * 90, {"characters": "abca"}, "characters is 'abca': wanted a text that has each character once"),
        (b"abc" * 90, {"characters": "abc", "vocabulary": "bytes"}, "characters are given, and vocabulary is 'bytes'"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(
    content: bytes, arguments: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        TASKS["text"](file=str(tmp_path / "text.txt"), **arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sweep_holds_a_text_to_its_content_and_the_shipped_one_to_its_name(story: Path) -> None:
    from orchestrator.sweep.definition import Sweep

    def task_of(**task: Any) -> Any:
        document = {**config_of(story).to_dict(), "name": "one", "task": {"name": "text", **task}}
        return Sweep.from_dict({key: item for key, item in document.items() if key != "seed"}).to_dict()["task"]

    digest = hashlib.sha256(story.read_bytes()).hexdigest()
    assert task_of(file=str(story))["file"] == f"{story}#sha256={digest}"
    assert task_of()["file"] == ""


@pytest.mark.system
def test_tinyshakespeare_is_split_as_ever() -> None:
    try:
        task = TASKS["text"]()
    except DataUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    assert (len(task.train), len(task.validation), len(task.test)) == (1003854 - 64, 1743, 1743)
    assert task.offers["num_outputs"] == 65
    digests = []
    for passage in (task.validation, task.test):
        batch = passage.take(torch.arange(len(passage)))
        digests.append(hashlib.sha256(batch.inputs.numpy().tobytes() + batch.targets.numpy().tobytes()).hexdigest()[:8])
    assert digests == ["099f92a2", "d530c306"]

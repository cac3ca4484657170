"""A text as a task, and its network as a file that is measured by itself."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.console import call
from tests.trainers.coding.forgery import error_of
from tests.trainers.trials import run
from trainers.architectures import ARCHITECTURES
from trainers.coding.header import write_header
from trainers.compressed import load_compressed, open_compressed
from trainers.config import Spec, TrialConfig
from trainers.data.vocabularies import Vocabulary
from trainers.data.windows import IGNORED
from trainers.downloads import DataUnavailableError
from trainers.evaluate import measure
from trainers.instantiate import check_tokens, find_architecture, make_task, measuring
from trainers.pieces import unpacked
from trainers.tasks import TASKS
from trainers.tasks.base import Task
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
            "architecture": architecture or {"name": "gpt", "layers": 1, "width": 16, "heads": 2},
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


@pytest.mark.parametrize("vocabulary", ["bytes", "characters", "bpe(270)"])
@pytest.mark.parametrize("stride", [0, 1, 3, 8])
def test_quality_is_in_bits_for_each_byte_of_the_split(story: Path, vocabulary: str, stride: int) -> None:
    task = TASKS["text"](file=str(story), vocabulary=vocabulary, context=8, stride=stride)
    content = story.read_bytes()
    num_tokens = {"bytes": 256, "characters": len({*SENTENCES}), "bpe(270)": 270}[vocabulary]
    assert task.offers["num_outputs"] == num_tokens
    last = content[len(content) * 95 // 100 :].decode(errors="ignore")  # what is cut begins with a character
    counted = {"bytes": len(last.encode()), "characters": len(last)}.get(vocabulary)
    if counted is None:
        counted = len(Vocabulary(pieces=task.offers["pieces"]).numbers(last.encode())[0])
        assert counted < len(last)
    measured = measure(Even(num_tokens), task.test, task)
    assert measured.quality == pytest.approx(counted * math.log2(num_tokens) / len(last.encode()), rel=1e-6)
    assert measured.others["perplexity"] == pytest.approx(num_tokens, rel=1e-6)


def said(tokens: list[int], task: Task) -> str:
    if characters := task.offers["characters"]:
        return "".join(characters[one] for one in tokens)
    pieces = [*map(bytes, zip(range(256), strict=True)), *unpacked(task.offers["pieces"])]
    return b"".join(pieces[one] for one in tokens).decode()


def test_splits_follow_each_other_and_are_the_same_for_both_vocabularies(story: Path) -> None:
    found = {}
    for vocabulary in ("bytes", "characters", "bpe(270)"):
        task = TASKS["text"](file=str(story), vocabulary=vocabulary, context=8)
        texts = []
        for passage in (task.validation, task.test):
            targets = passage.take(torch.arange(len(passage))).targets
            tokens = targets[targets != IGNORED].tolist()
            texts.append(said(tokens, task))
        windows = task.train.take(torch.arange(len(task.train)))
        texts.insert(0, said([*windows.inputs[0].tolist(), *windows.targets[:, -1].tolist()], task))
        found[vocabulary] = texts
    assert found["bytes"] == found["characters"] == found["bpe(270)"]
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


def test_a_file_with_pieces_is_measured_by_itself_and_says_what_they_take(story: Path, tmp_path: Path) -> None:
    words = " ".join(
        f"{one}{two}" for one in ("al", "be", "no", "ka") * 9 for two in ("bum", "gel", "ster", "min", "dor")
    )
    story.write_text(f"{words} {SENTENCES}" * 4, encoding="utf-8")
    config = config_of(story, task={"vocabulary": "bpe(320)"})
    (point,) = train(config, lambda progress: None, tmp_path / "trial")
    assert point.quality < 3
    opened = open_compressed(Path(point.path))
    pieces = opened.header.arguments["pieces"]
    assert len(unpacked(pieces)) == 64
    shares = {share.part: share.size_bytes for share in opened.account() if share.part != "tensor"}
    assert sum(share.size_bytes for share in opened.account()) == pytest.approx(point.size_bytes)
    bare = write_header(replace(opened.header, arguments={"layers": 1, "width": 16, "heads": 2, "context": 8}))
    assert len(pieces.encode()) < shares["tokenizer"] < len(pieces.encode()) + 20, "too few to be deflated"
    assert shares["header"] < len(bare) + 40
    rows = call(tmp_path, "inspect", point.path).stdout
    assert f"tokenizer {shares['tokenizer']:,.1f}".split() in [row.split()[:2] for row in rows.splitlines()]
    measured = call(tmp_path, "evaluate", point.path, "--task", f"{{name: text, file: {story}}}")
    assert f"bits_per_byte {point.quality:.4f}, perplexity" in measured.stdout, measured.stderr
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(range(256)) * 9)
    task = make_task(measuring(Spec(name="text", arguments={"file": str(other)}), opened.header.arguments))
    assert measure(opened.network(), task.test, task).quality > point.quality


def test_a_file_whose_pieces_are_damaged_is_refused_in_one_line(story: Path, tmp_path: Path) -> None:
    config = config_of(story, task={"vocabulary": "bpe(258)"}, method={"name": "ptq", "bits": 4}, steps=1)
    run(config, tmp_path / "trial")
    opened = open_compressed(tmp_path / "trial/point.rfz")
    for pieces, message in (
        ("\1ab", "pieces are"),
        ("\0ab", "with its pieces a network has 257 tokens, and was told of"),
    ):
        damaged = replace(opened.header, arguments={**opened.header.arguments, "pieces": pieces})
        assert message in error_of(tmp_path, replace(opened, header=damaged).recoded())


def forgetful(*, num_outputs: int) -> torch.nn.Module:
    """The next token from the last one, whatever tokens are."""
    return torch.nn.Embedding(num_outputs, num_outputs)


def test_a_network_whose_file_would_not_have_the_pieces_is_refused_before_the_training(story: Path) -> None:
    own = f"{__name__}:forgetful"
    config = config_of(story, task={"vocabulary": "bpe(270)"}, architecture=own)
    with pytest.raises(
        ValueError, match=r"takes no pieces, and without them a file does not say what its network's tok"
    ):
        find_architecture(config.architecture, make_task(config.task))
    task = make_task(config_of(story, task={"vocabulary": "bytes"}, architecture=own).task)
    assert find_architecture(config.architecture, task)[1] == {"num_outputs": 256}


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
    check_tokens(task, ARCHITECTURES["gpt"], header.arguments)
    letters = tmp_path / "letters.txt"
    letters.write_text("abc " * 90)
    refused = call(tmp_path, "evaluate", "trial/point.rfz", "--task", "{name: text, file: letters.txt}")
    assert "the tokens of the task are characters ' abc', and those of the network bytes: wanted" in refused.stderr
    assert measure(network, task.test, task).quality > 0
    with pytest.raises(ValueError, match=r"^the network returns \(\d+, 8\): wanted logits \(\*\(\d+, 8\), tokens\)$"):
        measure(torch.nn.Flatten(), task.test, task)


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"", {}, "text.txt is empty"),
        (b"", {"vocabulary": "bytes"}, "text.txt is empty"),
        (b"abc" * 20, {}, "text.txt has 60 characters: wanted more than 64"),
        ("".join(map(chr, range(0x4E00, 0x5200))).encode(), {}, "text.txt has 1024 different characters, which take"),
        (
            b"abc" * 90,
            {"vocabulary": "words"},
            "vocabulary is 'words': wanted characters, bytes, or bpe(N), such as bpe(1024)",
        ),
        (b"abc " * 90, {"vocabulary": "bpe(259)", "context": 128}, "text.txt has 9"),
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

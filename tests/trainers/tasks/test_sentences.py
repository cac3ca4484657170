"""Texts with labels as a task: what is in which split, what its inputs are, and its network's file by itself."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainers.compressed import open_compressed
from trainers.config import Spec, TrialConfig
from trainers.data.vocabularies import Vocabulary
from trainers.downloads import DataUnavailableError
from trainers.evaluate import measure
from trainers.instantiate import make_task, measuring
from trainers.tasks import TASKS
from trainers.tasks.base import InMemory, Task
from trainers.train import train

WORDS = {
    "sea": ("the salt wave", "a ship, a sail", "the wave rolls"),
    "wood": ("an oak tree", "the deer runs", 'a "fox"'),
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Sixty texts of two labels, first all of one and then all of the other; each says its number."""
    rows = [(f"{words[n % 3]} {n}", name) for name, words in WORDS.items() for n in range(30)]
    with (tmp_path / "table.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("text", "label"), *rows])
    return tmp_path / "table.csv"


class Bag(nn.Module):
    """Counts tokens, without those that stand for nothing."""

    def __init__(self, num_outputs: int, num_tokens: int) -> None:
        super().__init__()
        self.votes = nn.Embedding(num_tokens, num_outputs)
        self.num_tokens = num_tokens

    def forward(self, tokens: Tensor) -> Tensor:
        is_token = tokens < self.num_tokens
        return (self.votes(tokens.clamp(max=self.num_tokens - 1)) * is_token[..., None]).sum(dim=1)


def bag(*, num_outputs: int, num_tokens: int, context: int, characters: str = "", pieces: str = "") -> nn.Module:
    return Bag(num_outputs, num_tokens)


def texts_of(task: Task, split: str) -> list[str]:
    examples, tokens = getattr(task, split), task.offers["characters"]
    assert isinstance(examples, InMemory)
    return ["".join(tokens[one] for one in row if one < len(tokens)) for row in examples.inputs.tolist()]


def test_each_label_is_split_by_position_and_no_text_is_in_two_splits(table: Path) -> None:
    task = TASKS["sentences"](file=str(table), context=32)
    found = {split: texts_of(task, split) for split in ("train", "validation", "test")}
    assert found["test"] == [*(f"{WORDS[name][n % 3]} {n}" for name in WORDS for n in (27, 28, 29))]
    assert found["validation"] == [*(f"{WORDS[name][n % 3]} {n}" for name in WORDS for n in (24, 25, 26))]
    assert len({*found["train"], *found["validation"], *found["test"]}) == 60
    assert isinstance(task.test, InMemory)
    assert task.test.targets.tolist() == [0, 0, 0, 1, 1, 1], "labels are in their order as texts"


@pytest.mark.parametrize("vocabulary", ["characters", "bytes", "bpe(262)"])
def test_inputs_are_tokens_and_end_in_one_more_than_there_are(table: Path, vocabulary: str) -> None:
    task = TASKS["sentences"](file=str(table), vocabulary=vocabulary, context=9)
    num_tokens = task.offers["num_tokens"]
    assert num_tokens == {"characters": len(task.offers["characters"]), "bytes": 256, "bpe(262)": 262}[vocabulary]
    assert isinstance(task.train, InMemory)
    inputs = task.train.inputs
    assert inputs.dtype == torch.int64
    assert inputs.shape == (48, 9)
    tokens = Vocabulary(characters=task.offers["characters"], pieces=task.offers["pieces"])
    for row, text in zip(inputs, [f"{WORDS['sea'][n % 3]} {n}" for n in range(24)], strict=False):
        (numbers,) = tokens.numbers(text.encode())
        assert row.tolist() == [*numbers.tolist(), *[num_tokens] * 9][:9]


def test_a_file_alone_says_what_its_tokens_are(table: Path, tmp_path: Path) -> None:
    config = TrialConfig.from_dict(
        {
            "task": {"name": "sentences", "file": str(table), "vocabulary": "bpe(290)", "context": 24},
            "architecture": f"{__name__}:bag",
            "method": {"name": "ptq", "bits": 6, "learning_rate": 0.1},
            "steps": 60,
            "batch_size": 16,
        }
    )
    (point,) = train(config, lambda progress: None, tmp_path / "trial")
    assert (point.quality_name, point.maximise, point.quality) == ("accuracy", True, 1.0)
    opened = open_compressed(Path(point.path), architecture=bag)
    assert "tokenizer" in [share.part for share in opened.account()]

    def measured(file: Path) -> float:
        spec = measuring(Spec(name="sentences", arguments={"file": str(file)}), opened.header.arguments)
        task = make_task(spec)
        assert task.offers["num_tokens"] == 290
        return measure(opened.network(), task.test, task).quality

    assert measured(table) == 1
    other = tmp_path / "other.tsv"
    other.write_text("text\tlabel\n" + 'a "fox" and deer\twood\nthe ship\'s sail, ü\tsea\n' * 3)
    assert measured(other) == 1
    other.write_text("text\tlabel\n" + "deer\twood\nship\tsea\nsand\tshore\n" * 3)
    with pytest.raises(
        ValueError, match=r"^the network returns \(3, 2\) for 3 texts: wanted one number for each of 3 la"
    ):
        measured(other)


@pytest.mark.parametrize(
    ("name", "content", "changes", "said"),
    [
        ("a.txt", "text,label\n", {}, "a.txt ends in '.txt': wanted a table, .csv or .tsv"),
        ("a.csv", "text\tlabel\nx\ty\n", {}, r"a.csv has no column 'text': wanted one of its first line, text\tlabel"),
        ("a.csv", "", {}, "a.csv has no column 'text'"),
        (
            "a.csv",
            "text,label\n",
            {"label": "stars"},
            "a.csv has no column 'stars': wanted one of its first line, text, l",
        ),
        (
            "a.csv",
            "text,label\nx,1\n,2\n",
            {},
            "a.csv, line 3: wanted a text, a label, and as many columns as the first",
        ),
        (
            "a.csv",
            "text,label\nx\n",
            {},
            "a.csv, line 2: wanted a text, a label, and as many columns as the first line",
        ),
        ("a.csv", "text,label\nx,1,2\n", {}, "a.csv, line 2: wanted a text, a label, and as many columns"),
        ("a.csv", 'text,label\n"x"y,1\n', {}, "a.csv, after line 1: no line of a table ("),
        ("a.csv", "text,label\n" + "x,1\n" * 9, {}, "a.csv has 1 labels: wanted 2 to 1000"),
        ("a.csv", "text,label\n" + "x,1\n" * 9 + "y,2\n" * 2, {}, "a.csv has 2 texts of label '2': wanted 3 at least"),
        (
            "a.csv",
            "text,label\n" + "x,1\ny,2\n" * 9,
            {"context": 0},
            "context is 0: wanted a whole number of at least 1",
        ),
        (
            "a.csv",
            "text,label\n" + "x,1\ny,2\n" * 9,
            {"vocabulary": "bpe(300)"},
            "a.csv is too short to learn 300 tokens",
        ),
    ],
)
def test_what_is_no_table_of_labels_is_refused_in_one_line(
    name: str, content: str, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError) as caught:
        TASKS["sentences"](file=str(tmp_path / name), **changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.system
def test_shakespeares_speakers_are_split_as_ever() -> None:
    try:
        task = TASKS["sentences"]()
    except DataUnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
    digests = []
    for split in (task.train, task.validation, task.test):
        assert isinstance(split, InMemory)
        digests.append(hashlib.sha256(split.inputs.numpy().tobytes() + split.targets.numpy().tobytes()).hexdigest()[:8])
    assert (len(task.train), len(task.validation), len(task.test)) == (1238, 149, 149)
    assert digests == ["c35f5420", "a29ff44f", "9488b49c"]
    assert texts_of(task, "train")[0].startswith(
        "What work's, my countrymen, in hand? where go you\nWith bats and clubs?"
    )

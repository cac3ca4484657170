"""Distillation between language models of different tokens: both say how likely the next byte is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.trainers.trials import run
from trainers.config import Spec, TrialConfig
from trainers.data.vocabularies import Vocabulary
from trainers.instantiate import make_task
from trainers.modifiers.distillation import Distillation
from trainers.modifiers.next_byte import NextByteTeacher
from trainers.pieces import packed

TEXT = "the cat sat on the mat, and the dog sat on the log. " * 20
BYTES = Vocabulary()


def teacher_of(known: Vocabulary, student: Vocabulary, context: int = 64) -> NextByteTeacher:
    torch.manual_seed(0)
    num = len(known.tokens)
    return NextByteTeacher(nn.Embedding(num, num), known=known, student=student, context=context)


def test_the_same_bigrams_in_other_tokens_say_the_same() -> None:
    """A teacher of bytes that knows three letters, and a student of these three letters with the same numbers."""
    letters = "cab"
    teacher = teacher_of(BYTES, Vocabulary(characters=letters))
    codes = torch.tensor([ord(letter) for letter in letters])
    with torch.no_grad():
        kept = teacher.teacher.weight[codes][:, codes].clone()
        teacher.teacher.weight.fill_(-100.0)
        teacher.teacher.weight[codes[:, None], codes] = kept
    tokens = torch.randint(0, 3, (4, 7))
    taught = teacher(tokens)
    said = teacher.of_student(kept[tokens])
    assert taught.shape == (28, 256)
    torch.testing.assert_close(said, taught)
    torch.testing.assert_close(said.exp().sum(dim=1), torch.ones(28))
    assert said.exp()[:, codes].sum() == pytest.approx(28)


def test_they_are_compared_where_a_token_of_each_ends() -> None:
    """``a``, ``b``, ``ab`` and ``c`` for the teacher: the text abcab has ends at 2, 3 and 5; the bytes 1 to 5."""
    known = Vocabulary(pieces=packed([b"ab"]))
    teacher = teacher_of(known, BYTES)
    tokens = torch.tensor([[*b"abcab"]])
    taught = teacher(tokens)
    own = teacher.teacher.weight[torch.tensor([256, ord("c"), 256])].softmax(dim=-1)  # the rows of ab, c, ab
    wanted = own[:, :256].clone()
    wanted[:, ord("a")] += own[:, 256]  # ab begins with a as well
    torch.testing.assert_close(taught.exp(), wanted)
    outputs = torch.randn(1, 5, 256)
    torch.testing.assert_close(teacher.of_student(outputs).exp(), outputs[0, [1, 2, 4]].softmax(dim=-1))


def test_a_teacher_reads_as_much_as_its_context_has() -> None:
    teacher = teacher_of(BYTES, Vocabulary(pieces=packed([b"ab"])), context=3)
    tokens = torch.tensor([[256, 256, 256], [ord("c"), 256, 256]])  # ababab, of which it reads aba; cabab: cab
    assert len(teacher(tokens)) == 1 + 2
    assert teacher.of_student(torch.randn(2, 3, 257)).shape == (3, 256)


def config_of(folder: Path, vocabulary: str, **changes: Any) -> TrialConfig:
    (folder / "text.txt").write_text(TEXT)
    return TrialConfig.from_dict(
        {
            "task": {"name": "text", "file": str(folder / "text.txt"), "context": 8, "vocabulary": vocabulary},
            "architecture": {"name": "gpt", "layers": 1, "width": 16, "heads": 2},
            "method": {"name": "uncompressed", "learning_rate": 0.01},
            "steps": 150,
            "batch_size": 16,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a teacher of bytes."""
    folder = tmp_path_factory.mktemp("teacher")
    run(config_of(folder, "bytes"), folder / "trial")
    return folder / "trial" / "point.rfz"


@pytest.mark.parametrize("vocabulary", ["characters", "bpe(260)"])
def test_a_student_learns_from_a_teacher_of_bytes_alone(vocabulary: str, taught: Path, tmp_path: Path) -> None:
    """With weight 1 it never sees what comes next; which token of those with one first byte, no teacher says."""
    settings = {"teacher": str(taught), "weight": 1.0, "temperature": 1.0}
    _, reports = run(config_of(tmp_path, vocabulary, modifiers={"distillation": settings}), tmp_path / "student")
    assert reports[-1].train_loss < reports[0].train_loss / 3  # after the first of some epochs
    assert vocabulary != "characters" or reports[-1].quality_val < 1.5  # a letter alone takes more than three bits


def test_a_teacher_of_characters_cannot_teach_bytes(tmp_path: Path) -> None:
    config = config_of(tmp_path, "characters", steps=1)
    run(config, tmp_path / "trial")
    modifier = Distillation(teacher=str(tmp_path / "trial" / "point.rfz"))
    task = make_task(
        Spec.from_dict("task", {"name": "text", "file": str(tmp_path / "text.txt"), "vocabulary": "bytes"})
    )
    with pytest.raises(
        ValueError, match=r"^distillation: the teacher's tokens are \d+ characters, and the student's are"
    ):
        modifier.check(nn.Linear(1, 1), task, Spec(name="gpt"))

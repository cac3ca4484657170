"""Short texts with labels, of which the label is to be predicted."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainers import checks, pinned
from trainers.data.vocabularies import Vocabulary, vocabulary_of
from trainers.datasets import shakespeare
from trainers.echo import echo, shortened
from trainers.tasks.base import InMemory, Task, classification
from trainers.tasks.marks import from_network, names_file
from trainers.tasks.supervised import SupervisedScore, is_correct

_SHARE = 10
"""One text in so many of a label is for validation, and one for the test; one of each at least."""
_FEWEST, _MOST_LABELS = 3, 1000
_AT_ONCE = 1 << 14
"""The tokens that are measured at once."""


@names_file("file")
@from_network("characters", "context", "pieces")
def sentences(
    *,
    file: str = "",
    text: str = "text",
    label: str = "label",
    vocabulary: str = "characters",
    context: int = 256,
    characters: str = "",
    pieces: str = "",
) -> Task:
    """Predict the label of a short text: by default, which of ten speakers of Shakespeare's says a speech.

    Inputs are tokens (batch, ``context``), int64. A longer text is cut, a shorter one ends in the number
    ``num_tokens``, which stands for nothing. Targets are the labels' numbers, in their order as texts. The quality is
    accuracy. Of each label the first texts, in their order, are for training, then a tenth for validation, and the last
    tenth for the test.

    Args:
        file: a table in UTF-8, ``.tsv`` with tabs and without quotes, or ``.csv`` with commas, whose first line names
            the columns; empty: the speeches of the ten speakers of tinyshakespeare who have most of them.
        text: the column of texts.
        label: the column of labels.
        vocabulary: what tokens are: ``characters``; ``bytes``; or ``bpe(N)``, as of task ``text``.
        context: the most tokens of a text.
        characters: those that are tokens, in order, such as a network's; empty: all of the texts.
        pieces: those that are tokens beside the bytes, as a network has them; empty: what ``vocabulary`` says.
    """
    checks.integer("context", context, low=1, high=1 << 16)
    path = pinned.path_of(file) if file else shakespeare.path()
    if file:
        content = pinned.read(file, field="file", wanted="a table of texts and labels")[1]
        rows = _rows(path, content, text, label)
    else:
        rows = shakespeare.speeches()
    labels = sorted({name for _, name in rows})
    splits = _splits(path, rows)
    texts = {name: [rows[index][0].encode() for index in indices] for name, indices in splits.items()}
    tokens = vocabulary_of(
        b"".join(one for some in texts.values() for one in some),
        b"\n\n".join(texts["train"]),
        called=str(path),
        vocabulary=vocabulary,
        characters=characters,
        pieces=pieces,
    )
    num_tokens = len(tokens.sizes)
    examples = {
        name: InMemory(
            inputs=_padded(texts[name], tokens, context, num_tokens),
            targets=torch.tensor([labels.index(rows[index][1]) for index in indices]),
        )
        for name, indices in splits.items()
    }
    task = classification(
        train=examples["train"],
        validation=examples["validation"],
        test=examples["test"],
        num_classes=len(labels),
    )
    return replace(
        task,
        score=SupervisedScore((_Correct(len(labels)),)),
        offers={
            **task.offers,
            "num_tokens": num_tokens,
            "context": context,
            "characters": tokens.characters,
            "pieces": tokens.pieces,
        },
        kept=("pieces",) if tokens.pieces else (),
        evaluation_batch_size=max(1, min(250, _AT_ONCE // context)),
    )


@dataclass(frozen=True)
class _Correct:
    """1.0 where the largest output is at the target; a network of other labels is refused."""

    num_labels: int

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.shape != (len(targets), self.num_labels):
            raise ValueError(
                f"the network returns {tuple(outputs.shape)} for {len(targets)} texts: wanted one number for each of "
                f"{self.num_labels} labels"
            )
        return is_correct(outputs, targets)


def _rows(path: Path, content: bytes, text: str, label: str) -> list[tuple[str, str]]:
    """The texts and their labels."""
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 (byte {error.start}): recode it") from error
    if path.suffix not in (".csv", ".tsv"):
        raise ValueError(f"{path} ends in {echo(path.suffix)}: wanted a table, .csv or .tsv")
    lines = io.StringIO(decoded, newline="")
    is_quoted = path.suffix == ".csv"
    reader = (
        csv.DictReader(lines, strict=True)
        if is_quoted
        else csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    rows = []
    try:
        for name in (text, label):
            if name not in (found := reader.fieldnames or []):
                named = shortened(", ".join(found))
                raise ValueError(f"{path} has no column {echo(name)}: wanted one of its first line, {named}")
        for row in reader:
            if not row[text] or not row[label] or None in row:
                raise ValueError(
                    f"{path}, line {reader.line_num}: wanted a text, a label, and as many columns as the first line"
                )
            rows.append((row[text], row[label]))
    except csv.Error as error:
        raise ValueError(f"{path}, after line {reader.line_num}: no line of a table ({error})") from error
    return rows


def _splits(path: Path, rows: list[tuple[str, str]]) -> dict[str, list[int]]:
    """The numbers of the texts of each split, in their order."""
    by_label: dict[str, list[int]] = defaultdict(list)
    for index, (_, name) in enumerate(rows):
        by_label[name].append(index)
    if not 2 <= len(by_label) <= _MOST_LABELS:
        raise ValueError(f"{path} has {len(by_label)} labels: wanted 2 to {_MOST_LABELS}")
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for name, indices in by_label.items():
        if len(indices) < _FEWEST:
            raise ValueError(f"{path} has {len(indices)} texts of label {echo(name)}: wanted {_FEWEST} at least")
        held = max(1, len(indices) // _SHARE)
        splits["train"] += indices[: -2 * held]
        splits["validation"] += indices[-2 * held : -held]
        splits["test"] += indices[-held:]
    return {name: sorted(indices) for name, indices in splits.items()}


def _padded(texts: list[bytes], vocabulary: Vocabulary, context: int, padding: int) -> Tensor:
    """The tokens of each text, int64 (texts, ``context``)."""
    found = np.full((len(texts), context), padding, np.int64)
    for row, numbers in zip(found, vocabulary.numbers(*texts), strict=True):
        row[: len(numbers)] = numbers[:context]
    return torch.from_numpy(found)

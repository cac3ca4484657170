"""What two language models of different tokens say of the same bytes: how likely the next byte is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainers.data.vocabularies import Vocabulary

_LEAST = 1e-9
"""The least probability of a byte: that of bytes that no token begins with."""


class NextByteTeacher(nn.Module):
    """A teacher that reads the tokens of a student, as its own, and says how likely the next byte is.

    A window of the student is cut into the teacher's tokens anew. Where a token of each ends at the same byte, both say
    what comes next; the probability of a byte is the sum over the tokens that begin with it. Which of these tokens it
    is, the teacher does not say: a student of pieces needs the task's own loss for that. The teacher predicts each
    token from those before it, and reads as many as its context has.
    """

    def __init__(self, teacher: nn.Module, *, known: Vocabulary, student: Vocabulary, context: int) -> None:
        """``known`` is what the teacher's tokens are, ``student`` what the student's are.

        Raises:
            ValueError: the student's tokens cannot be said in the teacher's.
        """
        super().__init__()
        if known.characters and (not student.characters or not {*student.characters} <= {*known.characters}):
            raise ValueError(
                f"the teacher's tokens are {len(known.characters)} characters, and the student's are not among them: "
                "wanted a teacher of vocabulary: bytes, or bpe(...)"
            )
        self.teacher = teacher
        self._known, self._context = known, context
        self._spelled, self._sizes = student.tokens, known.sizes.numpy()
        self._first: Tensor
        self._first_of_student: Tensor
        self.register_buffer("_first", _first_bytes(known))
        self.register_buffer("_first_of_student", _first_bytes(student))
        self._places: tuple[Tensor, Tensor] = torch.empty(0), torch.empty(0)

    def forward(self, tokens: Tensor) -> Tensor:
        """From a student's tokens (batch, length), the logarithms of the next byte's probabilities (places, 256)."""
        rows = [[self._spelled[token] for token in row] for row in tokens.tolist()]
        numbers = [one[: self._context] for one in self._known.numbers(*(b"".join(row) for row in rows))]
        own = np.zeros((len(rows), max(map(len, numbers))), np.int64)  # what is after the end changes nothing before it
        places: list[list[NDArray[np.int64]]] = []
        for index, (row, found) in enumerate(zip(rows, numbers, strict=True)):
            own[index, : len(found)] = found
            ends = np.cumsum([len(spelled) for spelled in row]), np.cumsum(self._sizes[found])
            _, *common = np.intersect1d(*ends, assume_unique=True, return_indices=True)
            places.append([np.full(len(common[0]), index), *common])
        rows_of, of_student, of_teacher = (
            torch.from_numpy(np.concatenate(part)).to(tokens.device) for part in zip(*places, strict=True)
        )
        self._places = rows_of, of_student
        logits = self.teacher(torch.from_numpy(own).to(tokens.device))
        return _of_bytes(logits[rows_of, of_teacher], self._first)

    def of_student(self, outputs: Tensor) -> Tensor:
        """The same of a student's outputs (batch, length, tokens), for the tokens that ``forward`` was called with."""
        return _of_bytes(outputs[self._places], self._first_of_student)


def _first_bytes(vocabulary: Vocabulary) -> Tensor:
    return torch.tensor([spelled[0] for spelled in vocabulary.tokens])


def _of_bytes(logits: Tensor, first: Tensor) -> Tensor:
    """From the logits of tokens (places, tokens), of which each begins with a byte ``first`` (tokens,)."""
    shares = logits.float().softmax(dim=-1)
    return shares.new_zeros(len(shares), 256).index_add(1, first, shares).clamp_min(_LEAST).log()

"""From a given network to the file to ship: calibrate, quantise at several steps, write, decode, measure, choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trainers.compression.candidates import Candidate, Candidates, Said
from trainers.compression.goals import Goal
from trainers.compression.knobs import KNOBS
from trainers.compression.subject import Subject
from trainers.determinism import denormals_flushed, deterministic

MOST_EXAMPLES = 2000
_MOST_FURTHER = 3
"""The files that are made to come near a goal: with the first one, three times the work of one file."""


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """The files that were made of a network, and the one to ship."""

    candidates: tuple[Candidate, ...]
    """From fine to coarse."""
    shipped: Candidate
    given_quality: float | None
    num_examples: int
    """The validation examples that measured each; 0 without examples."""
    num_classes: int | None
    """How many outputs of an example were compared as logits of classes; none where they were not."""
    uncompressed_bytes: int


@denormals_flushed()
def compress(
    subject: Subject,
    goal: Goal,
    *,
    values: Sequence[float] | None = None,
    most_examples: int = MOST_EXAMPLES,
    said: Said = lambda doing: None,
    made: Callable[[int, int], None] = lambda num_made, num_values: None,
) -> Compressed:
    """Compress a network at several values of its method's knob, and choose a file.

    Where a goal is given, at most three values that come nearer to its limit follow the first one, or those given.

    Args:
        subject: the network.
        goal: what is asked of the file.
        values: of the knob; by default those of the method or, where a goal is given, the middle one.
        most_examples: the validation examples that measure each file.
        said: is told what is being done.
        made: is told how many files are made, of how many.

    Raises:
        DivergedError: what a file would hold, or what it computes, is NaN or infinite.
        StoredWronglyError: a decoded network is not the one that was given.
        ValueError: the goal cannot be asked of this network, or be reached; one line says why.
    """
    with deterministic(subject.trial.context.device):
        maker = Candidates(subject, most_examples=most_examples, said=said)
        _check(goal, subject, maker)
        knob = KNOBS[subject.config.method.name]
        grid = list(values if values is not None else knob.default(subject.method))
        is_searched = knob.is_list and not goal.is_any
        if is_searched and values is None:
            grid = [sorted(grid)[len(grid) // 2]]
        num_all = len(grid) + _MOST_FURTHER * is_searched
        found = maker.make(grid, lambda num_made: made(num_made, num_all))
        while is_searched and len(found) < num_all and (value := goal.next_value(found)) is not None:
            found += maker.make([value])
            made(len(found), num_all)
        return Compressed(
            candidates=tuple(sorted(found, key=lambda one: -one.size_bytes)),
            shipped=goal.chosen(found),
            given_quality=maker.given_quality,
            num_examples=maker.num_examples,
            num_classes=maker.num_classes,
            uncompressed_bytes=maker.uncompressed_bytes,
        )


def _check(goal: Goal, subject: Subject, maker: Candidates) -> None:
    """Refuse a goal of which nothing is measured, or whose measure says nothing."""
    limited = "a loss" if goal.max_loss is not None else "KL" if goal.max_kl is not None else ""
    if limited and not subject.evidence.is_real:
        raise ValueError(
            f"{limited} is measured on examples: wanted a task or a file of inputs (--task, --calibration)"
        )
    is_perfect = subject.trial.task.quality_name.endswith("accuracy") and maker.given_quality == 1.0
    if goal.max_loss is not None and is_perfect:
        raise ValueError(
            f"the given network is right on all {maker.num_examples:,} validation examples, as on those that it was "
            "trained on: what it loses there says nothing of others; wanted a largest KL instead (--max-kl 0.05)"
        )
    if goal.max_kl is not None and not maker.num_classes:
        raise ValueError(
            "KL is between classes, and the network's outputs are none: wanted a largest loss (--max-loss)"
        )

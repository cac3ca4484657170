"""Files of one network at several values of the method's knob: each is written, decoded, guarded and measured."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from trainers.coding.sections import Sections
from trainers.compressed import Opened, open_bytes
from trainers.compression.knobs import KNOBS
from trainers.compression.subject import Subject
from trainers.data.examples import spread
from trainers.divergence import DivergedError
from trainers.evaluate import evaluate
from trainers.fidelity import Fidelity, Given
from trainers.guard import StoredWronglyError
from trainers.instantiate import make_method
from trainers.lookup import one_line
from trainers.loop.phases import Trained
from trainers.networks.storable import storable
from trainers.points import content_of, decoded, given_on, guard_of
from trainers.preparation import Prepared, in_channels_last
from trainers.seeding import seed_everything, undisturbed

Said = Callable[[str], None]
"""Is told what is being done."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A file, and what was measured on the network that it decodes to."""

    called: str
    """The setting that made it, such as ``step 0.5``."""
    value: float
    """What the knob was set to."""
    data: bytes
    """What the file holds."""
    quality: float | None
    """On validation examples; none without a task."""
    loss: float | None
    """How much worse than the given network on validation: the drop of the task's quality or, without a task, the
    share of disagreement, or the relative squared error where outputs are no classes; none without examples."""
    fidelity: Fidelity

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    @property
    def distance(self) -> float | None:
        """How far it is from the given network: what is least noisy of what is known."""
        known = (self.fidelity.kl, self.fidelity.output_error, self.loss)
        return next((value for value in known if value is not None), None)


class Candidates:
    """Makes files of one network."""

    def __init__(self, subject: Subject, *, most_examples: int, said: Said) -> None:
        """``most_examples`` is how many validation examples measure each file."""
        self._subject, self._said = subject, said
        trial, evidence = subject.trial, subject.evidence
        self._model = trial.method.attach(trial.model, trial.context)
        trained = Trained(model=self._model, num_steps=0, train_s=0.0)
        self._guard = (
            guard_of(trial, trained, subject.config).quick(trial.macs, trial.fewest) if evidence.has_inputs else None
        )
        storable(trial.model)
        self._given: Given | None = None
        self.num_examples = 0
        if evidence.is_real and trial.given is not None:
            split = spread(trial.task.validation, most_examples)
            said("measuring the given network")
            with _refusals_in_one_line("validation"):
                self._given, self.num_examples = given_on(trial, trial.given, split, subject.config.seed), len(split)

    @property
    def given_quality(self) -> float | None:
        """The given network's quality on the same validation examples; none without a task."""
        return self._given.quality if self._given is not None and self._subject.evidence.has_targets else None

    @property
    def uncompressed_bytes(self) -> int:
        """The bytes of the network's tensors as they are."""
        return sum(tensor.nbytes for tensor in self._subject.trial.context.plain.state_dict().values())

    @property
    def num_classes(self) -> int | None:
        """How many outputs of an example are compared as logits of classes; none where they are not."""
        return None if self._given is None else self._given.num_classes

    def make(self, values: Sequence[float], made: Callable[[int], None] = lambda num_made: None) -> list[Candidate]:
        """Write, decode and measure a file at each value; ``made`` is told how many are done.

        Raises:
            DivergedError: what a file would hold, or what it computes, is NaN or infinite.
            StoredWronglyError: a decoded network is not the one that was given.
        """
        config = self._subject.config
        knob, found = KNOBS[config.method.name], []
        seed_everything(config.seed, "points")
        self._said("rounding")
        for value, (trial, sections) in zip(values, self._sections(values), strict=True):
            called = f"{knob.label} {value:g}"
            self._said(f"{called}: writing")
            data = content_of(trial, sections)
            self._said(f"{called}: measuring")
            with undisturbed():
                found.append(self._measured(called, value, data, self._decoded(trial, sections, data, called)))
            made(len(found))
            self._said("rounding")
        return found

    def _sections(self, values: Sequence[float]) -> Iterator[tuple[Prepared, Sections]]:
        config, trial = self._subject.config, self._subject.trial
        for spec in KNOBS[config.method.name].settings(self._subject.method, values):
            with_method = replace(trial, method=make_method(spec))
            points = with_method.method.points(self._model, trial.context)
            while True:
                with _refusals_in_one_line("calibration"):
                    found = next(points, None)
                if found is None:
                    break
                yield with_method, found[1]

    def _decoded(self, trial: Prepared, sections: Sections, data: bytes, called: str) -> nn.Module | None:
        """The network of a file, guarded; none where nothing can be computed: then its tensors are compared."""
        opened = _opened(self._subject, data)
        if self._guard is not None:
            return decoded(trial, self._guard, sections, opened, called, self._subject.config.seed)
        stored, found = trial.method.decode(sections, trial.context.plain), opened.state_dict()
        for name, tensor in stored.items():
            if not torch.equal(tensor, found[name]):
                raise StoredWronglyError(f"{called}: tensor {name} of the file is not what was stored")
        return None

    def _measured(self, called: str, value: float, data: bytes, network: nn.Module | None) -> Candidate:
        quality, loss, fidelity = None, None, Fidelity()
        if self._given is not None and network is not None:
            measured, fidelity = self._given.compare(in_channels_last(network))
            quality = measured.quality
            for name, number in {"quality": quality, **vars(fidelity)}.items():
                if number is not None and not math.isfinite(number):
                    raise DivergedError(f"the decoded network's {name} is {number}")
            if not self._subject.evidence.has_targets:
                quality = None
                loss = fidelity.output_error if fidelity.agreement is None else 1 - fidelity.agreement
            else:
                drop = self._given.quality - quality
                loss = drop if self._subject.trial.task.maximise else -drop
        return Candidate(called=called, value=value, data=data, quality=quality, loss=loss, fidelity=fidelity)


@contextlib.contextmanager
def _refusals_in_one_line(examples: str) -> Iterator[None]:
    """Say in one line that the given network raises where it is run on examples."""
    try:
        yield
    except (ValueError, OSError, StoredWronglyError):
        raise
    except Exception as error:  # a network may raise anything
        raise ValueError(
            f"the given network does not run on all {examples} examples ({type(error).__name__}: {one_line(error)}): "
            "wanted inputs as its forward takes them"
        ) from error


def test_quality(subject: Subject, candidate: Candidate) -> float | None:
    """The quality of a file on all test examples; none without a task."""
    if not subject.evidence.has_targets:
        return None
    trial = subject.trial
    network = _opened(subject, candidate.data).network().to(trial.context.device)
    return evaluate(in_channels_last(network), trial.task.test, trial.task)


def _opened(subject: Subject, data: bytes) -> Opened:
    return open_bytes(data, architecture=subject.trial.architecture, max_parameters=subject.max_parameters)

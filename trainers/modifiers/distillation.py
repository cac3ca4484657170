"""Knowledge distillation: a network is trained towards the class probabilities of a trained one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainers import checks
from trainers.architectures.base import build, build_on_meta
from trainers.coding import container
from trainers.compressed import Opened, open_compressed
from trainers.config import Spec
from trainers.data.examples import Batch, few
from trainers.data.vocabularies import Vocabulary
from trainers.instantiate import find_architecture
from trainers.methods.base import Context
from trainers.modifiers.base import AbstractModifier, Loss, Modification
from trainers.modifiers.next_byte import NextByteTeacher
from trainers.networks.calling import Network, call
from trainers.networks.parametrizations import load
from trainers.pretrained import PRETRAINED, initial_values, read_pinned
from trainers.tasks.base import Task
from trainers.tasks.text import next_token
from trainers.trees import copied, first, moved_to, shape_text

_COMPRESSED = ".rfz"
_NUM_SHOWN = 2
"""The number of examples that a teacher is tried on before the training."""


class _Lessons:
    """What a teacher says of a step's inputs, once for all the times that a method calls its network with them."""

    def __init__(self, teacher: nn.Module) -> None:
        self._teacher = teacher
        self._given: list[Any] = []
        self._taught: Any = None

    def on(self, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = [*args, *named.values()]
        if [id(one) for one in given] != [id(one) for one in self._given]:
            with torch.no_grad():
                self._given, self._taught = given, self._teacher(*args, **named)
        return self._taught


@dataclass(frozen=True, kw_only=True)
class Distillation(AbstractModifier):
    """The task's loss becomes a mix of itself and the divergence of the student from a teacher:

        (1 - weight) task loss + weight T^2 KL(p(v) || p(z))

    with p(z) = softmax(z / T), the student's outputs z and the teacher's outputs v. The gradients of the second part
    shrink as 1 / T^2; the factor T^2 keeps them as large as those of the first. The teacher is in evaluation mode, has
    no gradients, and sees the same shifted and flipped inputs as the student.

    A teacher of language that has other tokens reads the same bytes as the student, and z and v are the logarithms of
    what each says of the next byte (``next_byte.py``).

    References:
        Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, section 2.
        Zhao, Gupta, Song, Zhou 2019, "Extremely Small BERT Models from Mixed-Vocabulary Training", arXiv 1909.11687,
        have the aim, a student of fewer tokens, and another way to it: both are trained together, with projections.
    """

    teacher: str
    """The path of a ``.rfz`` file, which names its architecture; the path of a ``state_dict``; or a trained network's
    name (``trainers/pretrained.py``)."""
    architecture: Any = ""
    """The architecture of a teacher that is not a ``.rfz`` file: a name, or a mapping with a name and arguments; empty:
    the student's."""
    weight: float = 0.5
    temperature: float = 4.0

    sources: ClassVar[tuple[str, ...]] = ("teacher",)

    def __post_init__(self) -> None:
        if not isinstance(self.teacher, str) or not self.teacher:
            raise ValueError(
                f"teacher is {self.teacher!r}: wanted the path of a .rfz file or of a state_dict, or a trained "
                f"network's name: {', '.join(PRETRAINED)}"
            )
        if self.architecture != "":
            Spec.from_dict("architecture", self.architecture)
        checks.number("weight", self.weight, low=0, high=1)
        checks.number("temperature", self.temperature, low=0, above=True)

    def check(self, plain: nn.Module, task: Task, architecture: Spec) -> None:
        self._load(task, architecture, torch.device("cpu"))

    def attach(self, model: nn.Module, context: Context, task: Task, architecture: Spec) -> Modification:
        teacher = self._load(task, architecture, context.device)

        def modified(loss: Loss) -> Loss:
            lessons = _Lessons(teacher)

            def distilled(network: Network, batch: Batch) -> Tensor:
                divergences: list[Tensor] = []

                def watched(*args: Any, **named: Any) -> Any:
                    taught = lessons.on(args, named)  # before the network, which may write to its inputs
                    outputs = network(*args, **named)
                    said = teacher.of_student(outputs) if isinstance(teacher, NextByteTeacher) else outputs
                    divergences.append(self.divergence(said, taught))
                    return outputs

                plain = loss(watched, batch)
                return (1 - self.weight) * plain + self.weight * torch.stack(divergences).mean()

            return distilled

        return Modification(loss=modified)

    def divergence(self, outputs: Tensor, taught: Tensor) -> Tensor:
        """T^2 KL(p(taught) || p(outputs)) in nats; both are logits (batch, ..., classes), the mean is over the rest."""
        student, teacher = (
            F.log_softmax(values.float().flatten(0, -2) / self.temperature, dim=1) for values in (outputs, taught)
        )  # float: an activation may be bfloat16
        return self.temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)

    def _load(self, task: Task, architecture: Spec, device: torch.device) -> nn.Module:
        inputs, targets = few(task.train, _NUM_SHOWN)
        if not isinstance(targets, Tensor):
            raise ValueError(
                "distillation compares the probabilities of classes, and this task has several targets for an example: "
                "wanted whole numbers, the classes of examples or of tokens"
            )
        if targets.is_floating_point() or targets.is_complex():
            raise ValueError(
                f"distillation compares the probabilities of classes, and this task's targets are {targets.dtype} of "
                f"shape {tuple(targets.shape)}: wanted whole numbers, the classes of examples or of tokens"
            )
        teacher = self._network(task, architecture).to(device).eval().requires_grad_(False)
        wanted: tuple[Any, ...] = (*targets.shape, task.offers.get("num_outputs"))
        try:
            with torch.no_grad():
                found = call(teacher, moved_to(copied(inputs), device))
        except RuntimeError as error:
            raise ValueError(
                f"distillation: teacher {self.teacher} does not take the task's inputs of shape {shape_text(inputs)}: "
                "wanted a network that was trained on this task"
            ) from error
        if isinstance(teacher, NextByteTeacher):
            wanted = tuple(found.shape)
        if tuple(found.shape) != wanted or not found.isfinite().all():
            raise ValueError(
                f"distillation: teacher {self.teacher} gives outputs of shape {tuple(found.shape)} for inputs of shape "
                f"{tuple(first(inputs).shape)}: wanted finite ones of shape {wanted}, from a network "
                "that was trained on this task"
            )
        return teacher

    def _network(self, task: Task, student: Spec) -> nn.Module:
        spec = student if self.architecture == "" else Spec.from_dict("architecture", self.architecture)
        if self.teacher not in PRETRAINED:
            path, content = read_pinned(self.teacher, field="teacher")
            if path.suffix == _COMPRESSED:
                return self._decoded(path, content, spec, task)
        function, arguments = find_architecture(spec, task)
        plain = build_on_meta(spec.name, function, arguments)
        values = initial_values(self.teacher, plain, field="teacher")
        with torch.random.fork_rng(devices=[]):  # the initial values are drawn, and overwritten
            network = build(spec.name, function, arguments)
        load(network, values)  # checked; counters may be missing
        return network

    def _decoded(self, path: Path, content: bytes, spec: Spec, task: Task) -> nn.Module:
        """Open a ``.rfz`` file, which names its architecture; a user's own code runs only if the user names it too."""
        named = container.read_header(content).architecture
        if self.architecture != "" and named != spec.name:
            raise ValueError(
                f"distillation: teacher {path} is of architecture {named!r}, not {spec.name!r}: "
                "leave architecture away, a .rfz file has its own"
            )
        opened = open_compressed(path, architecture=find_architecture(spec, task)[0] if named == spec.name else None)
        return _of_other_tokens(opened, task) or opened.network()


def _of_other_tokens(opened: Opened, task: Task) -> nn.Module | None:
    """The network of a file whose tokens are not the task's, as a teacher of next bytes; else none."""
    if task.loss is not next_token:
        return None
    arguments = opened.header.arguments
    known, student = (
        Vocabulary(characters=found.get("characters", ""), pieces=found.get("pieces", ""))
        for found in (arguments, task.offers)
    )
    if known == student:
        return None
    default = inspect.signature(opened.architecture).parameters.get("context")
    context = arguments.get("context", default.default if default else None)
    if not isinstance(context, int):
        raise ValueError(
            f"distillation: teacher {opened.header.architecture} does not say how many tokens it reads: wanted an "
            "architecture with an argument context, as gpt has"
        )
    try:
        return NextByteTeacher(opened.network(), known=known, student=student, context=context)
    except ValueError as error:
        raise ValueError(f"distillation: {error}") from error

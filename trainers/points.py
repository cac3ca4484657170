"""The operating points of a trained network: each is written to a file, decoded from it, guarded and measured."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from trainers import rendering
from trainers.architectures.base import build
from trainers.arrange import arrange
from trainers.coding import container
from trainers.coding.meter import Show, unseen
from trainers.coding.sections import Sections, check_sections
from trainers.compressed import Opened, open_compressed
from trainers.config import TrialConfig
from trainers.data.examples import Examples, few
from trainers.divergence import REMEDY, DivergedError
from trainers.evaluate import Measured, is_constant, measure
from trainers.fidelity import Fidelity, Given
from trainers.guard import Guard
from trainers.instantiate import task_text
from trainers.loop.phases import PointsOf, Trained
from trainers.methods.parts.backend import weight_names
from trainers.networks.storable import holding, storable
from trainers.preparation import Prepared
from trainers.record import OperatingPoint, OtherQuality, cell_of, from_row, others_text, to_row, write_atomically
from trainers.seeding import seed_everything, undisturbed
from trainers.trees import moved_to

_POINT_ID = re.compile(r"[A-Za-z0-9._-]+")
_NUM_GUARDED = 32
"""The validation examples on which a decoded network is compared with the trained one."""


class PointStore:
    """Stores the operating points of one trial: those at the ends of its phases, and those at the end of its training.

    Each is written to ``directory/<point id>.rfz``, and the network that the file decodes to is measured. Beside it
    ``<point id>.sections.csv`` says where its bytes go, and of an image ``<point id>.png`` is what it decodes to.
    """

    def __init__(
        self,
        trial: Prepared,
        config: TrialConfig,
        directory: Path,
        *,
        sweep_id: str,
        trial_id: str,
        storing: Callable[[str], None] = lambda doing: None,
        stored: Callable[[Sequence[OperatingPoint]], None] = lambda points: None,
    ) -> None:
        """Nothing is stored yet. ``storing`` is told what is being done, ``stored`` what ``store_early`` stored."""
        self._trial, self._config, self._directory = trial, config, directory
        self._sweep_id, self._trial_id, self._storing, self._stored = sweep_id, trial_id, storing, stored
        self._points: dict[str, OperatingPoint] = {}
        self._given: Given | None = None

    @property
    def points(self) -> list[OperatingPoint]:
        """All that are stored, in the order of the training."""
        return list(self._points.values())

    def recall(self, rows: Iterable[Mapping[str, Any]]) -> str:
        """Go on after what a process that was killed stored early; returns what is wrong with it, if anything is."""
        points = [from_row({**row, "path": str(self._directory / f"{row['point_id']}.rfz")}) for row in rows]
        for point in points:
            path = Path(point.path)
            is_whole = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == point.sha256
            if not is_whole or not path.with_suffix(".sections.csv").is_file():
                self._stored([])  # they are stored anew
                return f"{path} is missing, or not what was measured"
        self._points = {point.point_id: point for point in points}
        return ""

    def store_early(self, points_of: PointsOf, trained: Trained) -> list[dict[str, Any]]:
        """Store as ``store`` does, and say so; returns rows for ``recall``, of all points so far."""
        self.store(points_of, trained)
        self._stored(self.points)
        return [to_row(point) for point in self.points]

    def store(self, points_of: PointsOf, trained: Trained) -> None:
        """Store the points of a network that is trained so far.

        Raises:
            DivergedError: the quality or what a file would hold became NaN or infinite.
            StoredWronglyError: a decoded network is not the one that was trained.
            ValueError: the method's points are wrong; one line says how.
        """
        trial, config = self._trial, self._config
        guard = guard_of(trial, trained, config)
        seed_everything(config.seed, "points")
        with _divergence_explained(config):
            for point_id, sections in points_of(trained.model, trial.context):
                _check_point_id(point_id, self._points)
                path = self._directory / f"{point_id}.rfz"
                opened = _written(trial, sections, path, self._storing)
                with undisturbed():
                    network = _guarded(trial, guard, sections, opened, path, config.seed)
                self._points[point_id] = self._measured(network, path, trained)
        if not self._points:
            raise ValueError(f"method {config.method.name!r} yielded no operating point: wanted at least one")

    def _measured(self, decoded: nn.Module, path: Path, trained: Trained) -> OperatingPoint:
        context, task, config = self._trial.context, self._trial.task, self._config
        data = path.read_bytes()
        self._draw(decoded, path.with_suffix(".png"))
        validation, fidelity = self._on_validation(decoded)
        test = _finite_of(measure(decoded, task.test, task))
        others = {
            one.name: OtherQuality(
                maximise=one.maximise, quality=test.others[one.name], quality_val=validation.others[one.name]
            )
            for one in task.others
        }
        return OperatingPoint(
            sweep_id=self._sweep_id,
            trial_id=self._trial_id,
            point_id=path.stem,
            task=task_text(config.whole_task),
            architecture=str(config.architecture),
            method=config.method.name,
            config_hash=config.config_hash,
            seed=config.seed,
            num_parameters=context.num_parameters,
            macs=self._trial.macs,
            num_steps=trained.num_steps,
            train_s=trained.train_s,
            size_bytes=len(data),
            uncompressed_bytes=sum(tensor.nbytes for tensor in context.plain.state_dict().values()),
            quality=test.quality,
            quality_val=validation.quality,
            quality_name=task.quality_name,
            maximise=task.maximise,
            sha256=hashlib.sha256(data).hexdigest(),
            path=str(path),
            zero_weights=", ".join(_zero_weights(decoded)),
            is_constant=is_constant(decoded, task.validation, task),
            kl=fidelity.kl,
            agreement=fidelity.agreement,
            output_error=fidelity.output_error,
            others=others_text(others),
            signal_unit=task.signal.unit if task.signal else "",
            signal_count=task.signal.count if task.signal else 0,
            task_file=config.task_file,
        )

    def _draw(self, decoded: nn.Module, path: Path) -> None:
        """Write the picture that a file decodes to, where the task is an image and its network represents one."""
        name, arguments = self._trial.header.architecture, self._trial.header.arguments
        signal = self._trial.task.signal
        if name in rendering.DRAWN and signal is not None and signal.unit == "pixel":
            height, width = arguments["size"]
            picture = rendering.picture_of(decoded, name, arguments, max_pixels=height * width)
            write_atomically(path, rendering.png_bytes(picture))

    def _on_validation(self, decoded: nn.Module) -> tuple[Measured, Fidelity]:
        """The decoded network's qualities, and how far it is from the network that was given, where one was."""
        trial, task = self._trial, self._trial.task
        if trial.given is None:
            return _finite_of(measure(decoded, task.validation, task)), Fidelity()
        if self._given is None:
            self._given = given_on(trial, trial.given, task.validation, self._config.seed)
        measured, fidelity = self._given.compare(decoded)
        for name, value in vars(fidelity).items():
            if value is not None:
                _finite(value, name)
        return _finite_of(measured), fidelity


def guard_of(trial: Prepared, trained: Trained, config: TrialConfig) -> Guard:
    """The guard of a trained network, whose parametrizations are taken off."""
    if trained.model is trial.model:
        storable(trial.model)  # a method that keeps parametrizations while it trains has the plain network
    return Guard(
        network=trial.model,
        context=trial.context,
        inputs=moved_to(few(trial.task.validation, _NUM_GUARDED).inputs, trial.context.device),
        seed=lambda: seed_everything(config.seed, "guard"),
    )


def given_on(trial: Prepared, values: Mapping[str, Tensor], split: Examples, seed: int) -> Given:
    """The network that was given, whose values are ``values``, on a split of the trial's task."""
    with undisturbed():
        seed_everything(seed, "decoding")
        network = build(trial.header.architecture, trial.architecture, trial.header.arguments)
        return Given(holding(network, values).to(trial.context.device), split, trial.task)


def rebuilt(trial: Prepared, state: Mapping[str, Tensor], seed: int) -> nn.Module:
    """Another build of the trial's network, under other random numbers than the first, with the values of ``state``."""
    seed_everything(seed, "decoding")
    network = storable(build(trial.header.architecture, trial.architecture, trial.header.arguments))
    network.load_state_dict(state)
    return network.eval().to(trial.context.device)


def content_of(trial: Prepared, sections: Sections, *, show: Show = unseen) -> bytes:
    """What a file of these sections holds; ``show`` is called with the share that is written."""
    check_sections(trial.layout, sections)
    arranged = arrange(sections, trial.context.unfrozen_groups)
    return container.write(trial.header, trial.layout, arranged, show=show)


def _written(trial: Prepared, sections: Sections, path: Path, storing: Callable[[str], None]) -> Opened:
    """Write the file, and open it again."""

    def said(doing: str) -> Callable[[float], None]:
        return lambda share: storing(f"{doing} {path.stem}, {share:.0%}")

    write_atomically(path, content_of(trial, sections, show=said("writing")))
    opened = open_compressed(path, architecture=trial.architecture, show=said("reading"))
    write_atomically(path.with_suffix(".sections.csv"), _table(opened.account()))
    return opened


def _guarded(trial: Prepared, guard: Guard, sections: Sections, opened: Opened, path: Path, seed: int) -> nn.Module:
    """The decoded network; a wrong file is removed."""
    try:
        return decoded(trial, guard, sections, opened, path.stem, seed)
    except BaseException:
        path.unlink()
        path.with_suffix(".sections.csv").unlink()
        raise


def decoded(trial: Prepared, guard: Guard, sections: Sections, opened: Opened, point_id: str, seed: int) -> nn.Module:
    """The network of a file with these sections, built under other random numbers than the trained one, and guarded.

    Raises:
        StoredWronglyError: it is not the one that was trained; one line calls the file ``point_id``.
    """
    stored = trial.method.decode(sections, trial.context.plain)
    seed_everything(seed, "decoding")
    network = opened.network().to(trial.context.device)
    guard.check(point_id, stored, network, lambda: rebuilt(trial, stored, seed))
    return network


def _zero_weights(network: nn.Module) -> list[str]:
    """The weight tensors that are all zero: their layers pass on nothing of their inputs."""
    weights = weight_names(network)
    return [
        name for name, tensor in network.named_parameters() if name in weights and tensor.numel() and not tensor.any()
    ]


def _table(sizes: Iterable[container.PartSize]) -> bytes:
    """The sizes as CSV with the columns ``part``, ``name`` and ``size_bytes``; they sum to the file's length."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["part", "name", "size_bytes"])
    writer.writerows([size.part, cell_of(size.name), f"{size.size_bytes:.3f}"] for size in sizes)
    return table.getvalue().encode()


def _check_point_id(point_id: str, taken: Container[str]) -> None:
    if not _POINT_ID.fullmatch(point_id):
        raise ValueError(f"point id {point_id!r} is no file name: wanted letters, digits, '.', '_' and '-'")
    if point_id in taken:
        raise ValueError(f"point id {point_id!r} was yielded twice: wanted another for each operating point")


@contextlib.contextmanager
def _divergence_explained(config: TrialConfig) -> Iterator[None]:
    """Add the step and the remedy to a divergence that finite parameters hid, such as a step beyond float16."""
    try:
        yield
    except DivergedError as error:
        if not config.trains:
            raise
        last = f"step {config.steps}" if config.steps else config.length
        raise DivergedError(f"after {last}, the last: {error}; {REMEDY}") from error


def _finite_of(measured: Measured) -> Measured:
    _finite(measured.quality)
    for name, value in measured.others.items():
        _finite(value, name)
    return measured


def _finite(value: float, name: str = "quality") -> float:
    if not math.isfinite(value):
        raise DivergedError(f"the decoded network's {name} is {value}")
    return value

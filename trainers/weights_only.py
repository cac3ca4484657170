"""A checkpoint as a compressed file, without an architecture and without data: its tensors as they are named.

Weights, which are the floats of two or more axes, are rounded to multiples of one step for the whole file, and
entropy-coded. Everything else is kept: floats of one axis to a relative 2^-11, whole numbers exactly.

References:
    Gish, Pierce 1968, "Asymptotically efficient quantizing", IEEE Transactions on Information Theory 14 (5): one step
    for all and an entropy coder need the fewest bits at a given squared error, where nothing else is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from trainers import checks
from trainers.architectures import tensors as holder
from trainers.architectures.base import build_on_meta, layout_of
from trainers.checkpoint_tensors import entry_of, kept, look, meant, whole_numbers
from trainers.coding import container
from trainers.coding.meter import Show, unseen
from trainers.coding.sections import Integers, Section, Sections
from trainers.compressed import open_bytes
from trainers.guard import StoredWronglyError
from trainers.methods.ecq import EntropyCodedQuantisation
from trainers.methods.parts.magnitudes import root_mean_square, together
from trainers.methods.parts.steps import NORMAL, Steps, steps_of
from trainers.networks.tensors import each_once
from trainers.state_dicts import StateDict

METHOD = "ecq"
MOST_STEP, LEAST_STEP = 64.0, 2.0**-24
"""The range of steps, in units of the weights' root mean square."""
_COARSEST = 2.0
"""A tensor's step is at most this many times its own root mean square."""
_SAMPLED, _LEAST_SAMPLED = 1 << 22, 1 << 12
"""About how many values an estimate looks at in all, and at least of each tensor that has them."""
_TRIES, _HALVINGS, _NEAR_ENOUGH, _SAME_STEP = 6, 20, 0.99, 1.001
"""A search for a size: the files that it writes, the halvings between two, when a file is large enough, equal steps."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file, which was decoded and compared."""

    data: bytes
    step: float
    """In units of the root mean square of all weights."""
    uncompressed_bytes: int
    """Those of the tensors, tied ones once."""
    relative_error: float
    """The squared error of all weights over their sum of squares; 0 where none was rounded."""
    num_rounded: int
    """How many tensors were rounded."""

    @property
    def ratio(self) -> float:
        return self.uncompressed_bytes / len(self.data)


class WeightsOnly:
    """A checkpoint, ready to be written at any step."""

    def __init__(self, given: StateDict, *, what: str = "the checkpoint") -> None:
        """Look at all tensors.

        Args:
            given: the tensors; they are not changed.
            what: what errors call them.

        Raises:
            ValueError: there are none, or one cannot be stored; one line names it.
        """
        self._what = what
        if not given.tensors:
            raise ValueError(f"{what} has no tensors: wanted a state_dict")
        try:
            entries = {name: entry_of(name, tensor) for name, tensor in given.tensors.items()}
            self._tensors = {name: tensor.detach().contiguous() for name, tensor in given.tensors.items()}
            looks = {name: look(name, tensor) for name, tensor in self._tensors.items()}
            arguments = {"tree": holder.tree_of(entries, given.aliases)}
            self._header = container.Header(
                method=METHOD,
                method_version=EntropyCodedQuantisation.version,
                architecture=holder.NAME,
                arguments=arguments,
                is_deflated=True,
            )
            container.write_header(self._header)  # it may have no room for so many names
            self.uncompressed_bytes = sum(tensor.nbytes for tensor in self._tensors.values())
            self.max_parameters = holder.least_limit(entries.values(), given.aliases)
            """The least with which the file is read."""
            holder.check_size(arguments["tree"], self.max_parameters)
            on_meta = build_on_meta(holder.NAME, holder.tensors, arguments, max_parameters=self.max_parameters)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from error
        self._layout = layout_of(each_once(on_meta))
        self._aliases = given.aliases
        self._exact = {name for name, seen in looks.items() if seen.is_whole}
        self._sizes = {name: seen.size for name, seen in looks.items() if seen.size}
        """The root mean square of each tensor that is to be rounded."""
        self._largest = {name: seen.largest for name, seen in looks.items()}
        self._rms = together(self._sizes.values(), [self._tensors[name].numel() for name in self._sizes])

    def written(self, step: float, *, show: Show = unseen) -> Written:
        """Write a file, decode it and compare.

        Args:
            step: in units of the root mean square of all weights.
            show: is told how far the writing is.

        Raises:
            ValueError: the step is out of range.
            StoredWronglyError: the file does not decode to what was meant.
        """
        checks.number("step", step, low=LEAST_STEP, high=MOST_STEP)
        return self._checked(step, *self._encoded(step, show))

    def within(self, max_bytes: int, *, show: Show = unseen) -> Written:
        """As ``written``, at the finest step that was found with which the file has at most ``max_bytes``.

        Sizes are estimated from a sample of the values; a few files are written, since estimates are a little off.

        Raises:
            ValueError: no step is coarse enough; the line says how small the file can be.
        """
        coarse = max([_COARSEST * size / self._rms for size in self._sizes.values()], default=1.0)
        best = (coarse, *self._encoded(coarse, show))
        if len(best[1]) > max_bytes:
            raise ValueError(f"{self._what} cannot be stored in {max_bytes:,} bytes: the smallest is {len(best[1]):,}")
        too_fine, scale = LEAST_STEP, 1.0
        for _ in range(_TRIES):
            step = self._step_for(max_bytes / scale, too_fine, best[0])
            data, steps = self._encoded(step, show)
            if len(data) <= max_bytes:
                best = (step, data, steps)
            else:
                too_fine = step
            if _NEAR_ENOUGH * max_bytes <= len(best[1]) or best[0] <= LEAST_STEP or best[0] / too_fine < _SAME_STEP:
                break
            scale = len(data) / self._estimate(step)
        return self._checked(*best)

    def _step_for(self, num_bytes: float, fine: float, coarse: float) -> float:
        """The finest step between two at which the estimate is ``num_bytes`` at most, or the middle if none is."""
        if self._estimate(fine) <= num_bytes:
            return fine if fine == LEAST_STEP else math.sqrt(fine * coarse)
        low, high = math.log(fine), math.log(coarse)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._estimate(math.exp(middle)) <= num_bytes else (middle, high)
        found = math.exp(high)
        return found if found < coarse else math.sqrt(fine * coarse)

    def _steps(self, step: float) -> dict[str, Steps]:
        """The step of each tensor that may be stored as integers: those of whole numbers have the step 1."""
        found = {
            name: steps_of(min(step * self._rms, _COARSEST * size), least=NORMAL) for name, size in self._sizes.items()
        }
        return {**found, **{name: steps_of(1.0) for name in self._exact}}

    def _estimate(self, step: float) -> float:
        """About how many bytes the file has."""
        steps, total = self._steps(step), 0.0
        most = max(_LEAST_SAMPLED, _SAMPLED // max(1, len(steps)))
        for name, tensor in self._tensors.items():
            if name not in steps:
                total += kept(tensor).values.nbytes
                continue
            sample = tensor.reshape(-1)[:: -(-tensor.numel() // most)].double() / float(steps[name].sizes[0])
            _, counts = np.unique(sample.round().numpy(), return_counts=True)
            bits = float(counts @ np.log2(len(sample) / counts)) * tensor.numel() / len(sample)
            total += min(bits / 8 + len(counts), tensor.nbytes)
        return total

    def _encoded(self, step: float, show: Show) -> tuple[bytes, dict[str, Steps]]:
        """The file, and the steps of the tensors that it stores as integers."""
        steps = self._steps(step)
        sections: dict[str, Section] = {}
        used: dict[str, Steps] = {}
        for entry in self._layout:
            name, tensor = entry.name, self._tensors[entry.name]
            if name in steps and (whole := whole_numbers(tensor, steps[name], self._largest[name])) is not None:
                sections[name] = Integers(values=whole, table=len(used), exponent=steps[name].exponent)
                used[name] = steps[name]
            else:
                sections[name] = kept(tensor)
        numbers = np.array([one.numbers[0] for one in used.values()], np.float16)
        stored = Sections(tensors=sections, vectors=(numbers,) if used else ())
        return container.write(self._header, self._layout, stored, show=show), used

    def _checked(self, step: float, data: bytes, steps: dict[str, Steps]) -> Written:
        """Decode a file, and compare each tensor with what was meant."""
        decoded = open_bytes(data, max_parameters=self.max_parameters).state_dict()
        errors, sizes, numbers = [], [], []
        for name, one in self._aliases.items():
            if decoded.pop(name) is not decoded[one]:
                raise StoredWronglyError(f"{self._what}: tensor {name!r} is not tied any more")
        if set(decoded) != set(self._tensors):
            raise StoredWronglyError(f"{self._what}: the file has other tensors than were stored")
        for name, tensor in self._tensors.items():
            found = decoded.pop(name)
            if found.dtype != tensor.dtype or not torch.equal(found, meant(tensor, steps.get(name))):
                raise StoredWronglyError(f"{self._what}: tensor {name!r} does not decode to what was stored")
            if name in self._sizes and name in steps:
                errors.append(root_mean_square(tensor, found))
                sizes.append(self._sizes[name])
                numbers.append(tensor.numel())
        return Written(
            data=data,
            step=step,
            uncompressed_bytes=self.uncompressed_bytes,
            relative_error=(together(errors, numbers) / together(sizes, numbers)) ** 2 if sizes else 0.0,
            num_rounded=len(sizes),
        )

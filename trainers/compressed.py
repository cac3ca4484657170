"""From a ``.rfz`` file back to PyTorch: what a user of a compressed network imports.

from trainers.compressed import load_compressed
network = load_compressed("x.rfz")
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from trainers import checks
from trainers.architectures import lookup_architecture, tensors
from trainers.architectures.base import MAX_PARAMETERS, Architecture, build, build_on_meta
from trainers.architectures.forms import Form, forms
from trainers.coding import container
from trainers.coding.bytestream import RfzError
from trainers.coding.deadline import deadline_in, unlimited
from trainers.coding.meter import Show, unseen
from trainers.coding.sections import Sections
from trainers.echo import echo, shortened
from trainers.methods import METHODS
from trainers.networks.parametrizations import computed
from trainers.networks.tensors import with_aliases

__all__ = ["Opened", "RfzError", "load_compressed", "open_compressed"]


_MOST_CHARACTERS = 2000
"""The longest message. It names at most ``MOST_CHARACTERS`` of each thing that the file says (``echo.py``)."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A checked file, decoded on demand."""

    data: bytes
    header: container.Header
    architecture: Architecture
    form: Form
    """The form in which it holds the network."""
    show: Show = unseen
    """Is told how far the decoding is."""
    check: Callable[[], None] = unlimited
    """Is called between the pieces of the decoding; what it raises ends that."""

    @property
    def plain(self) -> nn.Module:
        """The architecture on the meta device; its ``state_dict`` names each tensor once."""
        return self.form.plain

    @property
    def is_weights_only(self) -> bool:
        """Whether the file holds tensors without a network: they can be decoded, and not run."""
        return self.header.architecture == tensors.NAME

    def state_dict(self) -> dict[str, Tensor]:
        """The decoded ``state_dict`` of ``network``, on the CPU: tied tensors under all their names."""
        method = METHODS.get(self.header.method)
        if method is None or method.version != self.header.method_version:
            known = ", ".join(f"{name} {known.version}" for name, known in METHODS.items())
            older = method is not None and self.header.method_version < method.version
            raise RfzError(
                f"the file was written by method {echo(self.header.method)} {self.header.method_version}, "
                f"this ratefront decodes {known}{'' if older else ': use a newer ratefront'}"
            )
        sections, names = self._contents.sections, self.plain.state_dict()
        once = {name: section for name, section in sections.tensors.items() if name in names}
        return with_aliases(method.decode(replace(sections, tensors=once), self.plain), self.form.first_names)

    def network(self) -> nn.Module:
        """The network with the decoded parameters, on the CPU, in evaluation mode. It has no parametrizations."""
        return self.filled(self.state_dict())

    def filled(self, state: Mapping[str, Tensor]) -> nn.Module:
        """``network``, with the values of ``state``."""
        if self.is_weights_only:
            raise RfzError(
                "the file holds tensors without a network, which cannot be run: write them with ratefront decode, "
                "or take state_dict() of open_compressed, and load them into yours"
            )
        model = self._built()
        model.load_state_dict(state)
        return model.eval()

    @property
    def sections(self) -> Sections:
        """What the file stores: integers and raw values, before a method makes a network of them."""
        return self._contents.sections

    def account(self) -> list[container.PartSize]:
        """Where the bytes go; the parts sum to the file's length."""
        return self._contents.account()

    def recoded(self) -> bytes:
        """A file of the newest version of the format, with the same integers and floats."""
        layout = self._contents.layout[: len(self.form.layout)]  # without factors
        return container.write(self.header, layout, self._contents.sections)

    @functools.cached_property
    def _contents(self) -> container.Contents:
        layout, show, check = self.form.layout, self.show, self.check
        return container.take_apart(self.data, layout, build=self._built_numbers, show=show, check=check)

    def _built(self) -> nn.Module:
        """The network with initial values, which are drawn without a trace."""
        self.check()
        with torch.random.fork_rng(devices=[]):
            model = build(self.header.architecture, self.architecture, self.header.arguments)
        return computed(model) if self.form.is_computed else model

    def _built_numbers(self) -> dict[str, npt.NDArray[np.generic]]:
        """What the architecture builds of whole numbers and truth values, by name."""
        if self.is_weights_only:
            return {}
        return {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self._built().state_dict().items()
            if not tensor.is_floating_point()
        }


def open_compressed(
    path: str | Path,
    *,
    architecture: Architecture | None = None,
    allow_import: bool = False,
    max_parameters: int = MAX_PARAMETERS,
    max_seconds: float = math.inf,
    show: Show = unseen,
) -> Opened:
    """Check a file and find its architecture, without decoding.

    Args:
        path: the ``.rfz`` file.
        architecture: the callable that builds the network, if it is not registered here.
        allow_import: import the ``module:callable`` that the file names. Runs that module's code: only for
            files that you trust.
        max_parameters: refuse a larger network before memory is taken; what a file can cost is bounded by this
            (docs/rfz.md).
        max_seconds: refuse the file once it has taken longer, from its opening to the end of its decoding. The time is
            looked at between pieces of the work, of which none takes long unless the network is large.
        show: is called with the share of the values that are decoded, once they are wanted.

    Raises:
        RfzError: the file is damaged, foreign, newer, or does not fit the architecture.
    """
    if max_seconds != math.inf:
        checks.number("max_seconds", max_seconds, low=0, above=True)
    check = deadline_in(max_seconds).check
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise RfzError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        opened = open_bytes(data, architecture=architecture, allow_import=allow_import, max_parameters=max_parameters)
        check()
        return replace(opened, show=show, check=check)
    except (ValueError, MemoryError) as error:
        raise _refusal(path, error) from error


def open_bytes(
    data: bytes,
    *,
    architecture: Architecture | None = None,
    allow_import: bool = False,
    max_parameters: int = MAX_PARAMETERS,
) -> Opened:
    """As ``open_compressed``, for the content of a file.

    Raises:
        ValueError: as there; an ``RfzError``, unless the architecture is unknown or cannot be built.
    """
    header = container.read_header(data)
    if header.architecture == tensors.NAME:
        tensors.check_size(header.arguments.get("tree"), max_parameters)
        architecture = tensors.tensors
    found = architecture or lookup_architecture(header.architecture, allow_import=allow_import)
    known = forms(lambda: build_on_meta(header.architecture, found, header.arguments, max_parameters=max_parameters))
    present = next(known)
    if container.read_fingerprint(data) != container.fingerprint(present.layout):
        older = next(known)
        if container.read_fingerprint(data) == container.fingerprint(older.layout):
            return Opened(data=data, header=header, architecture=found, form=older)
    return Opened(data=data, header=header, architecture=found, form=present)


def load_compressed(
    path: str | Path,
    *,
    architecture: Architecture | None = None,
    allow_import: bool = False,
    max_parameters: int = MAX_PARAMETERS,
    max_seconds: float = math.inf,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """The network that a ``.rfz`` file holds, ready to run. Arguments and errors as ``open_compressed``.

    Args:
        path, architecture, allow_import, max_parameters, max_seconds: as there.
        device: where the network is to be.
    """
    opened = open_compressed(
        path,
        architecture=architecture,
        allow_import=allow_import,
        max_parameters=max_parameters,
        max_seconds=max_seconds,
    )
    try:
        state = opened.state_dict()
        opened = replace(opened)  # without the sections, which take as much memory as the network
        return opened.filled(state).to(device)
    except (ValueError, MemoryError) as error:
        raise _refusal(path, error) from error


def _refusal(path: str | Path, error: BaseException) -> RfzError:
    """One line; whatever a file says, it holds no control character."""
    said = f"it needs more memory than there is ({error})" if isinstance(error, MemoryError) else str(error)
    return RfzError(f"{path}: {shortened(said, _MOST_CHARACTERS)}")

"""The forms in which files hold a network: the present one, and an older one of networks that were rare then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from trainers.architectures.base import layout_of
from trainers.coding.sections import Layout
from trainers.networks.parametrizations import computed
from trainers.networks.tensors import each_once, first_names


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file holds of a network."""

    plain: nn.Module
    """The network on the meta device; its ``state_dict`` names each tensor once."""
    layout: Layout
    """The tensors that the file has sections for."""
    first_names: Mapping[str, str]
    """The first name of each tensor, under every name that it has in the network."""
    is_computed: bool
    """Whether the network has no parametrizations."""


def forms(build: Callable[[], nn.Module]) -> Iterator[Form]:
    """Yield the form of files that are written now, and then that of older ones; for most networks they are the same.

    Older files have a section for every name of a tied tensor, and for what parametrizations compute weights from.

    Args:
        build: builds the network on the meta device.
    """
    plain = computed(build())
    first = first_names(plain)
    yield Form(plain=plain, layout=layout_of(each_once(plain)), first_names=first, is_computed=True)
    plain = build()
    first, layout = first_names(plain), layout_of(plain)
    yield Form(plain=each_once(plain), layout=layout, first_names=first, is_computed=False)

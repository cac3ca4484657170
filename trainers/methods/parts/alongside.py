"""A network that computes beside another one, layer by layer: only what one layer is given is held at a time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from trainers.determinism import denormals_flushed
from trainers.networks.modes import evaluating

Take = Callable[[str], Tensor | None]
"""Returns what the module of a name is given, or None where the network takes another way than the one beside it."""


class _OverError(Exception):
    """Nobody wants the rest."""


@contextlib.contextmanager
def alongside(network: nn.Module, inputs: Tensor, modules: Mapping[str, nn.Module]) -> Iterator[Take]:
    """Run ``network`` on ``inputs`` in a thread, which waits at each of ``modules`` until what that is given is taken.

    The names are to be taken in the order in which the network calls its modules.

    Args:
        network: in no other use meanwhile.
        inputs: a batch.
        modules: those of ``network`` to wait at, by name.
    """
    given: queue.Queue[tuple[str, Tensor]] = queue.Queue(maxsize=1)
    is_over = threading.Event()

    def put(name: str, values: Tensor) -> None:
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                given.put((name, values), timeout=0.1)
                return
        raise _OverError

    def hook(name: str) -> Callable[..., None]:
        return lambda module, args, kwargs: put(name, next(iter((*args, *kwargs.values()))).clone())

    @denormals_flushed()
    @torch.no_grad()
    def run() -> None:
        with contextlib.suppress(_OverError):
            try:
                with evaluating(network):
                    network(inputs.clone())
            finally:
                put("", inputs)

    def take(name: str) -> Tensor | None:
        found, values = given.get() if not is_over.is_set() else ("", inputs)
        if found != name:
            is_over.set()
            return None
        return values

    handles = [module.register_forward_pre_hook(hook(name), with_kwargs=True) for name, module in modules.items()]
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield take
    finally:
        is_over.set()
        thread.join()
        for handle in handles:
            handle.remove()

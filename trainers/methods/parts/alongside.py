"""A network that computes beside another one, layer by layer: only what one layer is given is held at a time."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import torch
from torch import Tensor, nn

from trainers.determinism import denormals_flushed
from trainers.methods.parts.layer_inputs import first_argument
from trainers.networks.calling import call
from trainers.networks.modes import evaluating
from trainers.trees import Tree, copied, first

Take = Callable[[str], Tensor | None]
"""Returns what the module of a name is given, which stays as it is until the next is taken, or None where the network
takes another way than the one beside it."""


class _OverError(BaseException):
    """Nobody wants the rest; no network that goes on after errors is to catch it."""


@contextlib.contextmanager
def alongside(network: nn.Module, inputs: Tree, modules: Mapping[str, nn.Module]) -> Iterator[Take]:
    """Run ``network`` on ``inputs`` in a thread, which waits at each of ``modules`` until what that is given is taken.

    The names are to be taken in the order in which the network calls its modules. The thread computes only while it is
    waited for, so that networks which draw random numbers draw the same each time.

    Args:
        network: in no other use meanwhile.
        inputs: a batch.
        modules: those of ``network`` to wait at, by name.

    Raises:
        Exception: what the network raised, from the take that waited for it.
    """
    given: queue.SimpleQueue[tuple[str, Tensor]] = queue.SimpleQueue()
    is_wanted, is_over = threading.Semaphore(0), threading.Event()
    errors: list[BaseException] = []

    def wait() -> None:
        is_wanted.acquire()
        if is_over.is_set():
            raise _OverError

    def hook(name: str) -> Callable[..., None]:
        def put(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            given.put((name, cast(Tensor, first_argument(args, kwargs))))
            wait()

        return put

    @denormals_flushed()
    @torch.no_grad()
    def run() -> None:
        try:
            wait()
            with evaluating(network):
                call(network, copied(inputs))
        except _OverError:
            pass
        except BaseException as error:
            errors.append(error)
        finally:
            given.put(("", first(inputs)))

    def take(name: str) -> Tensor | None:
        if is_over.is_set():
            return None
        is_wanted.release()
        found, values = given.get()
        if errors:
            raise errors[0]
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
        is_wanted.release()
        thread.join()
        for handle in handles:
            handle.remove()

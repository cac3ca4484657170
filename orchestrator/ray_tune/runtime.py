"""Starts Ray here, or joins a running cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[None]:
    """Have a running Ray that prints nothing; one that was started here is stopped at the end.

    Ray would print a line for each worker that died, so that ``sys.stdout`` leads nowhere meanwhile: whoever has
    something to say keeps that stream from before.

    Args:
        address: of a running cluster; None starts Ray here.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # its CSV and TensorBoard files cost half the throughput
    # its snapshots take longer with each trial, and the journal makes them needless
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = str(10**6)
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        for name in ("ray", "ray.tune"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
                yield
        finally:
            ray.shutdown()

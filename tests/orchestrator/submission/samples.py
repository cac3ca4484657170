"""A submission that tests send to targets which exist only in the test."""

from __future__ import annotations

import dataclasses
from typing import Any

from orchestrator.submission.base import Submission
from orchestrator.submission.wheels import Wheel

SUBMISSION = Submission(
    sweep_id="My_sweep.v2-0a1b2c3d",
    sweep_file="name: My_sweep.v2\ntask: digits\n",
    storage="/shared/sweeps",
    tracking_uri="http://mlflow:5000",
    wheel=Wheel(filename="ratefront-0.1.0+g1-py3-none-any.whl", content=b"ours"),
)


def changed(**changes: Any) -> Submission:
    return dataclasses.replace(SUBMISSION, **changes)

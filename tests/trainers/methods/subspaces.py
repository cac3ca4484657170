"""Subspaces of lcs whose copies of the network have nothing in common."""

from __future__ import annotations

from typing import Any, cast

import torch

from tests.trainers.trials import attach, configuration
from trainers.methods.base import Context
from trainers.methods.lcs import CompressibleSubspace, Subspace

KINDS = ("unstructured", "quantised", "structured")


def method(kind: str = "unstructured", /, **fields: Any) -> dict[str, Any]:
    return {"name": "lcs", "compression": kind, "subspace": "line", **fields}


def apart(kind: str, architecture: str = "mlp", /, **fields: Any) -> tuple[Subspace, CompressibleSubspace, Context]:
    """A subspace whose copies have nothing in common."""
    trial = attach(configuration("lcs", architecture, method=method(kind, **fields)), noise=0.3)
    subspace = cast(Subspace, trial.model)
    with torch.no_grad():
        for end in subspace.ends:
            end.copy_(torch.randn_like(end))
    return subspace, cast(CompressibleSubspace, trial.method), trial.context

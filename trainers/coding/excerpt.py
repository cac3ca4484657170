"""A part of what a file would hold, so that the time of coding all of it is known from coding a little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.coding.sections import Layout, Sections


def excerpt(layout: Layout, sections: Sections, most: int) -> tuple[Layout, Sections, float]:
    """Return a layout and sections of about ``most`` values, and how many times as many values there are in all.

    Each tensor and each factor of two axes or more is cut along its longest axis, to the same share of it.
    """
    num_values = _num_values(sections)
    share = most / num_values if num_values > most else 1.0
    tensors = {name: replace(section, values=_cut(section.values, share)) for name, section in sections.tensors.items()}
    factors = tuple(replace(factor, values=_cut(factor.values, share)) for factor in sections.factors)
    cut = replace(sections, tensors=tensors, factors=factors)
    entries = [
        replace(entry, shape=tensors[entry.name].values.shape, built=b"") if entry.name in tensors else entry
        for entry in layout
    ]
    return entries, cut, num_values / max(1, _num_values(cut))


def _num_values(sections: Sections) -> int:
    return sum(section.values.size for section in (*sections.tensors.values(), *sections.factors))


def _cut(values: npt.NDArray[Any], share: float) -> npt.NDArray[Any]:
    if share == 1 or values.ndim < 2:
        return values
    axis = int(np.argmax(values.shape))
    kept = max(1, round(share * values.shape[axis]))
    return np.ascontiguousarray(values[(*[slice(None)] * axis, slice(kept))])

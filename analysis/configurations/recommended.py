"""Which configurations of a frontier to recommend, and how far to trust them.

Validation chooses, test reports, with one exception: a file that another beats on test is not recommended
(``unbeaten``). Nothing else here that chooses reads ``quality``, only ``quality_val``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.configurations.best import best
from analysis.fronts.pareto import Front
from analysis.keys import REFERENCE_METHOD

_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """How much better configurations look on validation than on test, in units of quality; positive is flattery."""

    chosen: float
    """The mean over the configurations on the frontier."""
    all: float
    """The mean over all configurations: by how much the validation split is easier."""

    @property
    def of_choosing(self) -> float:
        """The difference of the two: the price of choosing on few validation examples."""
        return self.chosen - self.all


def knee(front: Front, /) -> int | None:
    """The index of the point where ``front`` bends most; None where it bends nowhere outwards.

    This is the point farthest above the straight line between the two ends, with log bytes and quality both scaled to
    0..1 between the ends; among equals the smallest file.

    Source: Das 1999, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection".
    """
    if len(front) < 3:
        return None
    decades = np.log10(front.size_bytes)
    above = (front.gain - front.gain[0]) / (front.gain[-1] - front.gain[0])
    above -= (decades - decades[0]) / (decades[-1] - decades[0])
    farthest = int(np.argmax(above))
    return farthest if above[farthest] > _ROUNDING else None


def baseline(configurations: pd.DataFrame, /) -> pd.Series:
    """The configuration that losses are counted from.

    This is the best uncompressed network on validation, or the best of all where no uncompressed one was trained;
    the row's ``method`` says which.

    Raises:
        ValueError: there is no configuration to choose from.
    """
    rows = configurations[configurations["method"] == REFERENCE_METHOD]
    rows = rows[(rows["num_failed"] == 0) & rows["quality_val_mean"].notna()]
    return best(configurations if rows.empty else rows, max_size_bytes=math.inf)


def recommended(configurations: pd.DataFrame, *, max_loss: float) -> dict[str, pd.Series]:
    """Up to three compressed configurations to look at first, each a row of ``configurations``.

    ``smallest`` is the smallest that loses no more than ``max_loss`` against ``baseline``, left out where nothing is
    that good; ``knee`` is where the frontier bends, left out where it does not; ``best`` has the best validation
    quality. A configuration that destroyed the network with one of its seeds is none of these: what its file computes
    does not depend on the inputs, so where it is on the frontier, that frontier begins at the next one. Nor is one that
    is not ``unbeaten``.

    Args:
        configurations: those of one task, from ``summarise``.
        max_loss: the loss in units of quality, such as 0.01 for 1 % of accuracy.

    Raises:
        ValueError: there is no configuration to choose from.
    """
    candidates = unbeaten(to_recommend(configurations))
    rows = candidates[candidates["on_front"]].sort_values("size_bytes_mean")
    rows = rows.drop_duplicates("size_bytes_mean")  # equal sizes on a front are copies: one is enough
    maximise = bool(configurations["maximise"].all())
    bend = knee(Front.of(rows["size_bytes_mean"], rows["quality_val_mean"], maximise=maximise))
    found = {
        "smallest": _smallest(candidates, baseline(configurations), max_loss),
        "knee": None if bend is None else rows.iloc[bend],
        "best": best(candidates, max_size_bytes=math.inf),
    }
    return {name: row for name, row in found.items() if row is not None}


def to_recommend(configurations: pd.DataFrame) -> pd.DataFrame:
    """The configurations among which to recommend: compressed ones, if there are any, that destroyed no network."""
    compressed = configurations[configurations["method"] != REFERENCE_METHOD]
    candidates = configurations if compressed.empty else compressed
    return candidates[candidates["num_constant"] == 0]


def unbeaten(configurations: pd.DataFrame) -> pd.DataFrame:
    """The configurations whose file no file of the frontier beats: none is as small and as good on test.

    Readers see the files' sizes and test qualities beside each other, and would take the smaller and better one. Test
    cannot bring a configuration in, only take one away, and only for a file that is no larger. Uncompressed networks
    beat nothing, because compressed ones are asked for, and stay, because losses are counted from them.
    """
    sign = 1.0 if configurations["maximise"].all() else -1.0
    front = to_recommend(configurations).query("on_front")
    (size, gain), (others, gains) = (
        (rows["file_size_bytes"].to_numpy(np.float64), sign * rows["file_quality"].to_numpy(np.float64))
        for rows in (configurations, front)
    )
    no_worse = (others <= size[:, None]) & (gains >= gain[:, None])  # (num_configurations, num_on_front)
    better = (others < size[:, None]) | (gains > gain[:, None])
    is_beaten = np.asarray((no_worse & better).any(axis=1), np.bool_)
    return configurations[(configurations["method"] == REFERENCE_METHOD) | ~is_beaten]


def sizes_within(configurations: pd.DataFrame, max_losses: Sequence[float]) -> pd.DataFrame:
    """The smallest configuration within each loss of ``baseline``.

    Args:
        configurations: those of one task, from ``summarise``.
        max_losses: losses in units of quality.

    Returns:
        One row for each loss that some configuration keeps to, in the order given: the configuration's columns,
        ``max_loss``, and ``ratio``: the baseline's uncompressed bytes, whatever its architecture, over this file's.

    Raises:
        ValueError: there is no configuration to choose from.
    """
    start = baseline(configurations)
    found = [(loss, _smallest(configurations, start, loss)) for loss in max_losses]
    rows = [row.to_dict() | {"max_loss": loss} for loss, row in found if row is not None]
    table = pd.DataFrame(rows, columns=[*configurations.columns, "max_loss"])
    return table.assign(ratio=start["uncompressed_bytes"] / table["file_size_bytes"].astype("float64"))


def optimism(configurations: pd.DataFrame) -> Optimism | None:
    """The gap between the validation quality that chose the frontier and the test quality that is reported.

    Only configurations that were measured on both splits count, by their means over seeds; None where the frontier
    has none of them.
    """
    sign = 1.0 if configurations["maximise"].all() else -1.0
    gap = (sign * (configurations["quality_val_mean"] - configurations["quality_mean"])).dropna()
    chosen = gap[configurations.loc[gap.index, "on_front"]]
    return None if chosen.empty else Optimism(chosen=float(chosen.mean()), all=float(gap.mean()))


def _smallest(configurations: pd.DataFrame, start: pd.Series, max_loss: float) -> pd.Series | None:
    """The smallest configuration within ``max_loss`` of ``start``; None where there is none."""
    quality = float(start["quality_val_mean"])
    allowed = max_loss + _ROUNDING * abs(quality)  # in floats 0.95 - 0.01 is less than 0.94
    try:
        return best(configurations, min_quality=quality - allowed if start["maximise"] else quality + allowed)
    except ValueError:
        return None

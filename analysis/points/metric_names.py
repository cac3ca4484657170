"""The names under which MLflow has qualities and distances of points: it refuses some characters of names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from analysis.fidelity import COLUMNS

FIDELITY_METRICS = {name: f"fidelity_{name}" for name in COLUMNS}
"""The metrics of how far a point is from the network that was given, by their columns; a task's quality may be called
``kl`` too."""

_REFUSED = re.compile(r"[^\w.\- /:]")
_TAKEN = frozenset(
    {
        *("size_bytes", "log10_size_bytes", "compression_ratio", "bits_per_parameter", "uncompressed_bytes"),
        *("num_parameters", "num_steps", "macs", "train_s", "epoch", "epoch_train_loss", "epoch_rate_bits"),
        *FIDELITY_METRICS.values(),
    }
)
"""The other metrics of a point and of a trial."""


def quality_metric(quality_name: str) -> str:
    """The metric of a quality over test data; over validation data it has ``_val`` appended.

    Characters that MLflow refuses become underscores: ``mAP@0.5`` is ``mAP_0.5`` there. The tag
    ``ratefront.quality_name`` of each run has the name as it is.
    """
    name = _REFUSED.sub("_", quality_name)
    is_path = posixpath.normpath(name) != name or name.startswith(("/", ".."))
    name = name.replace("/", "_").replace("..", "_") if is_path else name
    return f"quality_{name}" if name in _TAKEN or name in ("", ".") else name


def other_metrics(quality_name: str, names: Iterable[str]) -> dict[str, str]:
    """The metrics of a task's other qualities over test data, by their names; ``_val`` is appended as above.

    Each is its own: a quality that would be logged under the name of another gets ``other_`` before it.
    """
    taken = set(_metrics(quality_metric(quality_name)))
    found = {}
    for name in names:
        metric = quality_metric(name)
        while taken.intersection(_metrics(metric)) or _TAKEN.intersection(_metrics(metric)):
            metric = f"other_{metric}"
        taken.update(_metrics(metric))
        found[name] = metric
    return found


def _metrics(metric: str) -> tuple[str, ...]:
    """The metrics of a quality: over test data, over validation data, and while training."""
    return metric, f"{metric}_val", f"epoch_{metric}_val"

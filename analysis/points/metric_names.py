"""The names under which MLflow has the qualities of points: it refuses some characters that names of qualities have."""

from __future__ import annotations

import posixpath
import re

_REFUSED = re.compile(r"[^\w.\- /:]")
_TAKEN = frozenset(
    {
        *("size_bytes", "log10_size_bytes", "compression_ratio", "bits_per_parameter", "uncompressed_bytes"),
        *("num_parameters", "num_steps", "macs", "train_s", "epoch", "epoch_train_loss", "epoch_rate_bits"),
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

"""What MLflow is told of a trial and its points: parameters, metrics and tags, under the names that they have there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from orchestrator.search.space import Configuration
from trainers.config import Spec
from trainers.record import OperatingPoint

EPOCH_METRICS = {"train_loss": "epoch_train_loss", "rate_bits": "epoch_rate_bits", "epoch": "epoch"}
"""Over epochs, by what a trial's progress calls them; beside ``epoch_<quality>_val``."""

_MAX_PARAM_LENGTH = 6000  # what MLflow takes


def params_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Of a trial.

    Args:
        config: as ``TrialConfig.to_dict`` gives it.
    """
    kept = ("steps", "batch_size", "seed", "precision", "init_from")
    params = {key: config[key] for key in kept if key in config}
    for kind in ("task", "architecture", "method"):
        spec = Spec.from_dict(kind, config[kind])
        # with its arguments, an architecture's name tells two widths apart; a method's fields are the sweep's axes
        params[kind] = spec.name if kind == "method" else str(spec)
        params |= {f"{kind}.{key}": value for key, value in spec.arguments.items()}
    for name, settings in config.get("modifiers", {}).items():
        params |= {f"modifiers.{name}.{key}": value for key, value in settings.items()} or {f"modifiers.{name}": True}
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in params.items()}
    return {key: text[:_MAX_PARAM_LENGTH] for key, text in as_text.items()}


def metrics_of(point: OperatingPoint) -> dict[str, float]:
    """Of a point."""
    return {
        "size_bytes": point.size_bytes,
        "log10_size_bytes": math.log10(point.size_bytes),  # the UI's scatter plot has no logarithmic axis
        point.quality_name: point.quality,
        f"{point.quality_name}_val": point.quality_val,
        "compression_ratio": point.compression_ratio,
        "bits_per_parameter": point.bits_per_parameter,
        "uncompressed_bytes": point.uncompressed_bytes,
        "num_parameters": point.num_parameters,
        "num_steps": point.num_steps,
        "macs": point.macs,
        "train_s": point.train_s,
    }


def tags_of(point: OperatingPoint) -> dict[str, str]:
    """Of a point."""
    return {
        "ratefront.point_id": point.point_id,
        "ratefront.config_hash": point.config_hash,
        "ratefront.quality_name": point.quality_name,
        "ratefront.maximise": "true" if point.maximise else "false",
        "ratefront.sha256": point.sha256,
        "ratefront.path": point.path,
    }


_PLAIN = ("steps", "batch_size", "precision", "init_from")


def configuration_of(params: Mapping[str, str]) -> Configuration:
    """The configuration that ``tracking.py`` logged as these parameters."""
    configuration: Configuration = {}
    for kind in ("task", "architecture", "method"):
        own = [key for key in params if key.startswith(f"{kind}.")]
        arguments = {key.removeprefix(f"{kind}."): _value(params[key]) for key in own}
        configuration[kind] = {"name": params[kind].partition("(")[0], **arguments}
    modifiers: dict[str, dict[str, Any]] = {}
    for key in (key for key in params if key.startswith("modifiers.")):
        _, name, *setting = key.split(".", 2)
        settings = modifiers.setdefault(name, {})
        settings |= {one: _value(params[key]) for one in setting}
    if modifiers:
        configuration["modifiers"] = modifiers
    return configuration | {key: _value(params[key]) for key in _PLAIN if key in params}


def _value(text: str) -> Any:
    """Texts are logged as they are, anything else as JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

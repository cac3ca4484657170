"""What MLflow is told of a trial and its points, under the names that these have there.

``params_of`` turns a trial's settings into MLflow's parameters, which are texts; ``configuration_of``, below it, is its
inverse. Metrics, tags and run names are not read back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from analysis.points.metric_names import FIDELITY_METRICS, other_metrics, quality_metric
from analysis.signals import rate_name
from orchestrator.search.space import Configuration
from trainers import training_settings
from trainers.config import Spec, in_turn
from trainers.record import OperatingPoint, others_of

EPOCH_METRICS = {"train_loss": "epoch_train_loss", "rate_bits": "epoch_rate_bits", "epoch": "epoch"}
"""Metrics that have a value for each epoch, by their names in a trial's progress; beside ``epoch_<quality>_val``."""

_SCALARS = ("steps", "batch_size", "seed", *training_settings.PLAIN, "init_from")
"""Settings that are one parameter each, under their own name; all but the seed belong to the configuration."""
_MAX_PARAM_LENGTH = 6000  # what MLflow takes
_MAX_TAG_LENGTH = 5000
_MAX_ARCHITECTURE_LENGTH = 100


def params_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a trial's run; ``configuration_of`` reads them back, but for the seed.

    Args:
        config: as ``TrialConfig.to_dict`` gives it.
    """
    params = {key: config[key] for key in _SCALARS if key in config}
    for kind in ("task", "architecture", "method"):
        spec = Spec.from_dict(kind, config[kind])
        # with its arguments, an architecture's name tells two widths apart; a method's fields are the sweep's axes
        shared = Spec(name=spec.name, arguments={**spec.arguments, **in_turn(config.get("each", {}))})
        params[kind] = spec.name if kind == "method" else str(shared if kind == "task" else spec)
        params |= {f"{kind}.{key}": value for key, value in spec.arguments.items()}
    for kind in training_settings.NAMED.keys() & config:
        spec = Spec.from_dict(kind, config[kind])
        params |= {kind: spec.name, **{f"{kind}.{key}": value for key, value in spec.arguments.items()}}
    for name, settings in config.get("modifiers", {}).items():
        params |= {f"modifiers.{name}.{key}": value for key, value in settings.items()} or {f"modifiers.{name}": True}
    return {key: _text(value)[:_MAX_PARAM_LENGTH] for key, value in params.items()}


def configuration_of(params: Mapping[str, str]) -> Configuration:
    """The configuration that ``params_of`` turned into these parameters."""
    configuration: Configuration = {}
    named = [kind for kind in training_settings.NAMED if kind in params]
    for kind in ("task", "architecture", "method", *named):
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
    return configuration | {key: _value(params[key]) for key in _SCALARS if key in params and key != "seed"}


def _text(value: Any) -> str:
    """Texts are logged as they are, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _value(text: str) -> Any:
    """The inverse of ``_text``, but for a text that happens to be JSON."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def metrics_of(point: OperatingPoint) -> dict[str, float]:
    """The metrics of an operating point's run."""
    others = others_of(point.others)
    names = other_metrics(point.quality_name, others)
    return {
        "size_bytes": point.size_bytes,
        "log10_size_bytes": math.log10(point.size_bytes),  # the UI's scatter plot has no logarithmic axis
        quality_metric(point.quality_name): point.quality,
        f"{quality_metric(point.quality_name)}_val": point.quality_val,
        "compression_ratio": point.compression_ratio,
        "bits_per_parameter": point.bits_per_parameter,
        **({rate_name(point.signal_unit): rate} if (rate := point.bits_per_sample) is not None else {}),
        "uncompressed_bytes": point.uncompressed_bytes,
        "num_parameters": point.num_parameters,
        "num_steps": point.num_steps,
        "macs": point.macs,
        "train_s": point.train_s,
        **{metric: value for name, metric in FIDELITY_METRICS.items() if (value := getattr(point, name)) is not None},
        **{names[name]: one.quality for name, one in others.items()},
        **{f"{names[name]}_val": one.quality_val for name, one in others.items()},
    }


def tags_of(point: OperatingPoint) -> dict[str, str]:
    """The tags of an operating point's run."""
    return {
        "ratefront.point_id": point.point_id,
        "ratefront.config_hash": point.config_hash,
        "ratefront.quality_name": point.quality_name,
        "ratefront.maximise": "true" if point.maximise else "false",
        "ratefront.sha256": point.sha256,
        "ratefront.path": point.path,
        **({"ratefront.zero_weights": point.zero_weights[:_MAX_TAG_LENGTH]} if point.zero_weights else {}),
        **({"ratefront.is_constant": "true"} if point.is_constant else {}),
        **({"ratefront.others": point.others} if point.others else {}),
        **(
            {"ratefront.signal_unit": point.signal_unit, "ratefront.signal_count": str(point.signal_count)}
            if point.signal_count
            else {}
        ),
        **({"ratefront.task": point.task[:_MAX_TAG_LENGTH]} if point.signal_count else {}),
        **({"ratefront.task_file": point.task_file} if point.task_file else {}),
    }


def run_name(config: Mapping[str, Any], trial_id: str, *point_id: str) -> str:
    """The name of a trial's or a point's run: its id, which has the method and the seed, and the architecture.

    Charts tell runs apart by name.
    """
    return f"{'/'.join([trial_id, *point_id])} {params_of(config)['architecture'][:_MAX_ARCHITECTURE_LENGTH]}"

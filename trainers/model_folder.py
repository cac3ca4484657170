"""Reads ``config.json`` of a Hugging Face folder as the arguments of an architecture ``transformers:CLASS``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainers.architectures.transformers import CONFIGS, MODEL_TYPES, known_fields, load
from trainers.config import Spec
from trainers.echo import echo
from trainers.lookup import TRANSFORMERS, is_transformers, one_line

FOLDER = "folder"
"""The argument that names a folder."""
_CONFIG = "config.json"
_MOST_BYTES = 1 << 20
_CODE = ("auto_map", "custom_pipelines", "quantization_config", "trust_remote_code", "use_kernels")
"""Entries that name code, or tensors of another form, which is not read."""
_DECODERS = ("add_cross_attention", "is_decoder", "is_encoder_decoder")


def without_folder(spec: Spec) -> Spec:
    """An architecture with the fields of its folder's ``config.json`` in place of the folder; others as they are.

    Fields that equal the class's defaults are left out. Arguments beside ``folder`` replace those of the file.

    Raises:
        ValueError: the file cannot be read, is of another class, or names code; one line says which.
    """
    if FOLDER not in spec.arguments or not is_transformers(spec.name):
        return spec
    named = {key: value for key, value in spec.arguments.items() if key != FOLDER}
    return Spec(name=spec.name, arguments={**_fields(spec.name, spec.arguments[FOLDER]), **named})


def _fields(name: str, folder: Any) -> dict[str, Any]:
    if not isinstance(folder, str) or not folder:
        raise ValueError(f"{FOLDER} is {echo(folder)}: wanted the path of a folder with {_CONFIG}")
    path = Path(os.path.expandvars(folder)).expanduser().absolute() / _CONFIG
    found = _read(path)
    for key in _CODE:
        if found.get(key):
            raise ValueError(
                f"{path} has {key}, which asks for code or tensors that are not read: wanted a plain model"
            )
    called = name.removeprefix(TRANSFORMERS)
    wanted = MODEL_TYPES.get(called)
    if wanted is None or found.get("model_type") != wanted:
        fitting = [one for one, kind in MODEL_TYPES.items() if kind == found.get("model_type")]
        mend = f"wanted transformers:{fitting[0]}" if fitting else f"wanted one of {', '.join(CONFIGS)}"
        raise ValueError(f"{path} is of model_type {echo(found.get('model_type'))}, no {echo(called)}: {mend}")
    for key in _DECODERS:
        if found.get(key):
            raise ValueError(f"{path} says {key}: wanted a network that reads one text, without decoding from another")
    defaults = known_fields(getattr(load(name), CONFIGS[wanted]))
    fields = {key: value for key, value in found.items() if key in defaults and value != defaults[key]}
    if "vocab_size" in defaults:
        fields["vocab_size"] = found.get("vocab_size", defaults["vocab_size"])
    if called.endswith("ForSequenceClassification"):
        labels = found.get("id2label")
        fields["num_labels"] = len(labels) if isinstance(labels, Mapping) else found.get("num_labels", 2)
    return fields


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.resolve().parent != path.parent.resolve():
            raise ValueError("it links out of its folder")
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES} bytes")
        found = json.loads(path.read_bytes(), parse_constant=_refused)
        if not isinstance(found, dict):
            raise ValueError(f"it is a {type(found).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({one_line(error)}): wanted a configuration in JSON") from error
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"it has {constant}, which is no number")

"""Every network of timm, as ``timm:NAME``, where timm is installed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from trainers import checks
from trainers.architectures.base import Architecture
from trainers.architectures.metered import check_numbers, metered
from trainers.echo import echo
from trainers.lookup import TIMM, one_line

_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")  # timm reads "hf-hub:..." and paths as places to load from
_MOST = 1 << 16
"""The largest number among a network's arguments: depths, widths, sides of images."""
_READING = ("checkpoint_path", "cache_dir", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay")


def timm_architecture(name: str) -> Architecture:
    """Return the function of keyword arguments behind ``timm:NAME``, such as ``timm:mobilenetv3_small_100``.

    Its arguments are those of timm's model. They may come from a file, so numbers among them have a limit, and so has
    what the network is built of (``metered.py``). It takes its number of channels and outputs from the task and starts
    from random values: trained ones come from ``init_from``. timm decides what a name means; a file refuses a network
    whose tensors have other names or shapes than those it was written for.

    References:
        Wightman 2019, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models.

    Raises:
        ValueError: timm is not installed, or has no such network.
    """
    model = name.removeprefix(TIMM)
    if not _NAME.fullmatch(model):
        raise ValueError(
            f"architecture {echo(name)}: wanted timm:NAME of letters, digits and '_', such as timm:resnet18"
        )
    try:
        timm = importlib.import_module("timm")
    except Exception as error:  # it may be installed and not fit this torch
        raise ValueError(
            f"architecture {name!r} needs timm, which cannot be imported ({one_line(error)}): "
            "pip install 'ratefront[timm]'"
        ) from error
    if not timm.is_model(model):
        raise ValueError(f"architecture {name!r}: timm {timm.__version__} has no such model: see timm.list_models()")

    def create(*, input_shape: Sequence[int], num_outputs: int, **arguments: Any) -> nn.Module:
        checks.integers("input_shape", input_shape, low=1, high=1 << 16, max_length=3)
        checks.integer("num_outputs", num_outputs, low=1, high=1 << 20)
        if len(input_shape) != 3:
            raise ValueError(f"input_shape is {list(input_shape)}: wanted (channels, height, width)")
        for key in arguments:
            if key in _READING:  # a file's header must not make timm read other files
                raise ValueError(f"{key} reads values from elsewhere: trained ones come from init_from")
            check_numbers(key, arguments[key], most=_MOST)
        with metered():
            network: nn.Module = timm.create_model(
                model, pretrained=False, num_classes=num_outputs, in_chans=input_shape[0], **arguments
            )
        return network

    return create

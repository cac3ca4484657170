"""Files of initial values, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


def saved(values: Any, path: Path) -> Path:
    torch.save(values, path)
    return path


def message_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ValueError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)

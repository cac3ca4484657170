"""A network without its memory is built without drawing its initial values."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import Tensor, nn

from trainers.architectures.base import build, build_on_meta


class Drawing(nn.Module):
    """Draws in every way that people do, and keeps what it read of a tensor that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(nn.init.trunc_normal_(torch.empty(3, 4), std=0.02))
        self.gain = nn.Parameter(torch.empty(4).uniform_(0.5, 1.5))
        self.frozen = nn.Parameter(nn.init.orthogonal_(tensor=torch.empty(4, 4)).normal_(), requires_grad=False)
        self.register_buffer("noise", torch.randn(5))
        with torch.device("cpu"):
            self.on_cpu = float(nn.init.uniform_(torch.empty(1000)).mean())


def described(model: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype, bool]]:
    tensors: dict[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: (tensor.shape, tensor.dtype, tensor.requires_grad) for name, tensor in tensors.items()}


def test_what_is_built_without_memory_is_what_is_built_with_it() -> None:
    on_meta = build_on_meta("drawing", Drawing, {})
    assert described(on_meta) == described(build("drawing", Drawing, {}))
    assert all(tensor.is_meta for tensor in on_meta.state_dict().values())
    assert 0.4 < on_meta.on_cpu < 0.6, "a tensor with memory is filled"  # type: ignore[operator]


def test_a_network_without_memory_costs_no_compiler() -> None:
    """torch imports its compiler for normal values on the meta device, which takes seconds."""
    program = (
        "import sys; from trainers.architectures.base import build_on_meta; from trainers.architectures.mlp import mlp;"
        "build_on_meta('mlp', mlp, {'hidden': [8], 'input_shape': [4], 'num_outputs': 3});"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=600).returncode == 0

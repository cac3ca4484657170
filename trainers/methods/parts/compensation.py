"""Rounding whose errors the weights still to be rounded make up for, by the second moments of a layer's inputs.

References:
    Hassibi, Stork 1993, "Second Order Derivatives for Network Pruning: Optimal Brain Surgeon", NIPS 5.
    Frantar, Ashkboos, Hoefler, Alistarh 2023, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
    Transformers", ICLR 2023, arXiv 2210.17323.
    Conzelmann, Bamler 2025, "Reducing Storage of Pretrained Neural Networks by Rate-Constrained Quantization and
    Entropy Coding" (CERWU), arXiv 2505.18758.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_DAMPING = 0.01
"""A share of the mean of the second moments, which is added to them (GPTQ, section 3.3)."""
_BLOCK = 128
"""Columns whose errors reach the columns behind them together: the same sums, in fewer and larger products."""
_PRIOR = 0.3
"""What each magnitude is counted before any was seen."""
_MOST_MAGNITUDE = 1 << 14
"""Greater ones cost as much."""


Choice = Callable[[int, Tensor], Tensor]
"""(index of a column, its values in steps (groups, values)) -> whole numbers of the same shape."""


def compensated(weight: Tensor, moments: Tensor, steps: Tensor, rate: float = 0.0) -> Tensor:
    """Round a weight at each of several steps so that the layer's outputs change little.

    The columns are rounded one after the other. With H the damped second moments, and U the upper Cholesky factor of
    H^-1, a column w_j that becomes s q_j leaves the error e = (w_j - s q_j) / U_jj, and w_k -= e U_jk for all k > j
    (GPTQ, equation 2 and algorithm 1). The outputs' squared error grows by e^2, whatever is rounded later.

    With a ``rate``, q_j is the nearest integer or the next one towards zero, whichever has the lower
    e^2 + rate c R(q_j) (CERWU), where c is the mean over columns of (s / U_jj)^2, what an error of a whole step costs,
    and R(q) are the bits of an integer, as an adaptive coder would have them for the integers of a rounding without the
    rate. The term for later rates that CERWU adds to H changed nothing in our measurements, so there is none.

    Args:
        weight: (rows, columns).
        moments: (groups, columns, columns): each of as many equal groups of rows has moments of its own.
        steps: positive, (steps,) in float64.
        rate: the cost of a bit, in units of c.

    Returns:
        Whole numbers, (steps, rows, columns) in float32.
    """
    if not weight.numel():
        return torch.zeros(len(steps), *weight.shape, device=weight.device)
    factor = _factor(moments)
    rows = len(weight) // len(moments)
    given = weight.double().reshape(len(moments), rows, -1).transpose(1, 2)  # (groups, columns, rows)
    values = torch.cat([(given / step).float() for step in steps.tolist()], dim=2)
    found = _in_turn(values, factor, lambda index, column: column.round())
    if rate:
        bits = _bits(found, len(steps))
        variances = factor.diagonal(dim1=1, dim2=2).square()  # (groups, columns)
        penalty = rate * (1 / variances).mean(dim=1, keepdim=True) * variances
        found = _in_turn(values, factor, lambda index, column: _cheaper(column, bits, penalty[:, index]))
    return torch.stack([part.transpose(1, 2).reshape(weight.shape) for part in found.chunk(len(steps), dim=2)])


def damped(moments: Tensor) -> Tensor:
    """The moments with the damping added to their diagonals, (groups, columns, columns) in float64."""
    wide = moments.double()
    unit = wide.diagonal(dim1=1, dim2=2).mean(dim=1)
    damping = torch.where(unit > 0, _DAMPING * unit, 1.0)  # inputs that are all zero: no error matters
    return wide + damping.reshape(-1, 1, 1) * torch.eye(wide.shape[1], dtype=wide.dtype, device=wide.device)


def _factor(moments: Tensor) -> Tensor:
    """The upper Cholesky factors of the inverses of the damped moments, (groups, columns, columns)."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped(moments)))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor.float()


def _in_turn(values: Tensor, factor: Tensor, choose: Choice) -> Tensor:
    """Round columns one after the other, and take each one's error off those behind it.

    Args:
        values: in steps, (groups, columns, values).
        factor: (groups, columns, columns).
        choose: rounds a column.
    """
    left, found = values.clone(), torch.empty_like(values)
    num_columns = values.shape[1]
    for begin in range(0, num_columns, _BLOCK):
        end = min(begin + _BLOCK, num_columns)
        block = left[:, begin:end].contiguous()
        errors = torch.empty_like(block)
        own = factor[:, begin:end, begin:end]
        for index in range(end - begin):
            column = block[:, index]
            found[:, begin + index] = rounded = choose(begin + index, column)
            errors[:, index] = error = (column - rounded) / own[:, index, index, None]
            block[:, index + 1 :].baddbmm_(own[:, index, index + 1 :, None], error.unsqueeze(1), alpha=-1)
        left[:, end:].baddbmm_(factor[:, begin:end, end:].transpose(1, 2), errors, alpha=-1)
    return found


def _cheaper(column: Tensor, bits: Tensor, penalty: Tensor) -> Tensor:
    """The nearest integer or the next towards zero, whichever costs less.

    Args:
        column: in steps, (groups, values), the values of one step after the other.
        bits: of each magnitude at each step, (steps, magnitudes).
        penalty: of a bit, in squares of a step, (groups,).
    """
    nearest = column.round()
    lower = nearest - nearest.sign()
    offsets = torch.arange(len(bits), device=column.device).repeat_interleave(column.shape[1] // len(bits))

    def cost(whole: Tensor) -> Tensor:
        magnitude = whole.abs().long().clamp_(max=bits.shape[1] - 1)
        return (column - whole).square() + penalty.unsqueeze(1) * bits.flatten()[offsets * bits.shape[1] + magnitude]

    return torch.where(cost(lower) < cost(nearest), lower, nearest)


def _bits(found: Tensor, num_steps: int) -> Tensor:
    """The bits of each magnitude by its frequency among the integers of a step, with a sign, (steps, magnitudes)."""
    magnitudes = found.abs().long()
    most = min(int(magnitudes.max()), _MOST_MAGNITUDE) + 2  # one more than there is
    made = []
    for part in magnitudes.chunk(num_steps, dim=2):
        counts = torch.bincount(part.flatten().clamp(max=most - 1), minlength=most).double() + _PRIOR
        one = -(counts / counts.sum()).log2()
        one[1:] += 1
        made.append(one.float())
    return torch.stack(made)

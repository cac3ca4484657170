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

from trainers.methods.parts.coded_bits import coded_bits

_DAMPING = 0.01
"""A share of the mean of the second moments, which is added to them (GPTQ, section 3.3)."""
_BLOCK = 128
"""Columns whose errors reach the columns behind them together: the same sums, in fewer and larger products."""


Choice = Callable[[int, Tensor], Tensor]
"""(index of a column, its values in steps (groups, values)) -> whole numbers of the same shape."""
Bits = Callable[[Tensor], Tensor]
"""Whole numbers (rows, columns) -> the bits of each magnitude, from 0 on, at each place: (magnitudes, rows,
columns). The last stands for greater ones as well."""


def compensated(weight: Tensor, factor: Tensor, steps: Tensor, rate: float = 0.0, bits: Bits = coded_bits) -> Tensor:
    """Round a weight at each of several steps so that the layer's outputs change little.

    The columns are rounded one after the other. With H the damped second moments, and U the upper Cholesky factor of
    H^-1, a column w_j that becomes s q_j leaves the error e = (w_j - s q_j) / U_jj, and w_k -= e U_jk for all k > j
    (GPTQ, equation 2 and algorithm 1). The outputs' squared error grows by e^2, whatever is rounded later.

    With a ``rate``, q_j is the nearest integer or the next one towards zero, whichever has the lower
    e^2 + rate c R(q_j) (CERWU), where c is the mean over columns of (s / U_jj)^2, what an error of a whole step costs,
    and R(q) are the ``bits`` that the coder's adaptive model takes for q there, in a rounding without the rate. The
    term for later rates that CERWU adds to H changed nothing in our measurements, so there is none.

    Args:
        weight: (rows, columns).
        factor: from ``inverse_factor``: each of as many equal groups of rows has moments of its own.
        steps: positive, (steps,) in float64.
        rate: the cost of a bit, in units of c.
        bits: of each magnitude at each place of a rounding.

    Returns:
        Whole numbers, (steps, rows, columns) in float32.
    """
    if not weight.numel():
        return torch.zeros(len(steps), *weight.shape, device=weight.device)
    factor = factor.float()
    rows = len(weight) // len(factor)
    given = weight.double().reshape(len(factor), rows, -1).transpose(1, 2)  # (groups, columns, rows)
    values = torch.cat([(given / step).float() for step in steps.tolist()], dim=2)
    found = _in_turn(values, factor, lambda index, column: column.round())
    if rate:
        costs = _costs(found, weight.shape, len(steps), bits)
        variances = factor.diagonal(dim1=1, dim2=2).square()  # (groups, columns)
        penalty = rate * (1 / variances).mean(dim=1, keepdim=True) * variances
        found = _in_turn(values, factor, lambda index, column: _cheaper(column, costs[:, :, index], penalty[:, index]))
    return torch.stack(_apart(found, weight.shape, len(steps)))


def inverse_factor(moments: Tensor) -> Tensor:
    """The upper Cholesky factors U of the inverses of the damped moments H.

    H = R R^T with R upper triangular: that is Cholesky's factor with the axes turned round. So U = R^-1, since
    U^T U = H^-1.

    Args:
        moments: (groups, columns, columns).

    Returns:
        (groups, columns, columns) in float64.
    """
    return _inverse(torch.linalg.cholesky(_damped(moments).flip(1, 2)).flip(1, 2))


def _damped(moments: Tensor) -> Tensor:
    """The moments with the damping added to their diagonals, (groups, columns, columns) in float64."""
    made = moments.to(torch.float64, copy=True)
    diagonal = made.diagonal(dim1=1, dim2=2)
    unit = diagonal.mean(dim=1, keepdim=True)
    diagonal.add_(torch.where(unit > 0, _DAMPING * unit, 1.0))  # inputs that are all zero: no error matters
    return made


def _inverse(triangular: Tensor) -> Tensor:
    """The inverse of upper triangular matrices (groups, n, n), by that of their halves: its work is in products."""
    size = triangular.shape[1]
    if size <= _BLOCK:
        unit = torch.eye(size, dtype=triangular.dtype, device=triangular.device)
        found: Tensor = torch.linalg.solve_triangular(triangular, unit.expand_as(triangular), upper=True)
        return found
    half = size // 2
    made = torch.zeros_like(triangular)
    made[:, :half, :half] = first = _inverse(triangular[:, :half, :half])
    made[:, half:, half:] = second = _inverse(triangular[:, half:, half:])
    made[:, :half, half:] = -(first @ (triangular[:, :half, half:] @ second))
    return made


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
        column: in steps, (groups, values).
        bits: of each magnitude, (magnitudes, groups, values).
        penalty: of a bit, in squares of a step, (groups,).
    """
    nearest = column.round()
    lower = nearest - nearest.sign()

    def cost(whole: Tensor) -> Tensor:
        magnitude = whole.abs().long().clamp_(max=len(bits) - 1)
        return (column - whole).square() + penalty.unsqueeze(1) * bits.gather(0, magnitude.unsqueeze(0))[0]

    return torch.where(cost(lower) < cost(nearest), lower, nearest)


def _apart(found: Tensor, shape: torch.Size, num_steps: int) -> list[Tensor]:
    """The integers (rows, columns) of each step, from those of all, (groups, columns, values)."""
    return [part.transpose(1, 2).reshape(shape) for part in found.chunk(num_steps, dim=2)]


def _costs(found: Tensor, shape: torch.Size, num_steps: int, bits: Bits) -> Tensor:
    """The bits of each magnitude at each place of a rounding, (magnitudes, groups, columns, values)."""
    made = [bits(whole) for whole in _apart(found, shape, num_steps)]
    most = max(map(len, made))
    even = [torch.cat([one, one[-1:].expand(most - len(one), *shape)]) for one in made]
    groups, columns, _ = found.shape
    return torch.cat([one.reshape(most, groups, -1, columns).transpose(2, 3) for one in even], dim=3)

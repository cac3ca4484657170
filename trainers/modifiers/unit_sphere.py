"""The unit sphere as parameter space: the input weights of each hidden unit have norm 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from trainers.architectures.graph import unit_groups
from trainers.config import Spec
from trainers.data.examples import few
from trainers.hidden_units import Role, UnitGroup
from trainers.methods.base import Context
from trainers.modifiers.base import AbstractModifier, Modification
from trainers.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class UnitSphere(AbstractModifier):
    """Divides a hidden unit's weights w and bias b by ||w|| after each step, and multiplies the weights that read it.

    If only positively homogeneous functions lie between (ReLU, pooling; f(a x) = a f(x) for a > 0), the network
    computes what it did before: every such network equals one with unit weights, with one degree of freedom less for
    each unit. So a step of the optimiser is not undone, as it would be if w were projected alone. The paper also bounds
    thresholds; that is left out, because it needs a bound of the inputs, and biases are few.

    Units whose layer a norm follows, or that several layers add to, are left as they are.

    References:
        Qin, Zhou, Xiu 2018, "Reducing Parameter Space for Neural Network Training", arXiv 1805.08340.
    """

    needs_weights: ClassVar[bool] = True

    def check(self, plain: nn.Module, task: Task, architecture: Spec) -> None:
        self._groups(plain, task)

    def attach(self, model: nn.Module, context: Context, task: Task, architecture: Spec) -> Modification:
        groups = self._groups(context.plain, task)

        @torch.no_grad()
        def project() -> None:
            parameters = dict(model.named_parameters())
            for group in groups:  # in the order of layers: a reader is projected after it was multiplied
                project_group(group, parameters)

        project()
        return Modification(after_step=project)

    def _groups(self, plain: nn.Module, task: Task) -> list[UnitGroup]:
        """Groups of units that one layer computes and only layers read, with only homogeneous functions between."""
        groups = [
            group
            for group in unit_groups(plain, few(task.train, 1).inputs)
            if group.homogeneous
            and {axis.role for axis in group.axes} <= {Role.WEIGHT, Role.BIAS, Role.READER}
            and sum(axis.role is Role.WEIGHT for axis in group.axes) == 1
        ]
        if not groups:
            raise ValueError(
                "unit_sphere: this network has no hidden units whose scale another layer could carry: wanted layers "
                "with nothing but ReLU and pooling between them, and no norms (such as mlp, cnn, lenet5)"
            )
        return groups


def project_group(group: UnitGroup, parameters: Mapping[str, Tensor]) -> None:
    """Scale the weights of each unit to norm 1, in place; weights that are all zero stay zero.

    Args:
        group: units that one layer computes.
        parameters: the plain network's, keyed by name.
    """
    (weight_OI,) = (parameters[axis.tensor].flatten(1) for axis in group.axes if axis.role is Role.WEIGHT)
    norms_O = weight_OI.norm(dim=1)
    norms_O = torch.where(norms_O > 0, norms_O, 1.0)
    for axis in group.axes:
        tensor = parameters[axis.tensor]
        shape = [1] * tensor.ndim
        shape[axis.dim] = -1
        factors = norms_O.repeat_interleave(axis.block).view(shape)
        if axis.role is Role.READER:
            tensor.mul_(factors)
        else:
            tensor.div_(factors)

"""Which settings matter: PED-ANOVA over the configurations of one method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

MIN_CONFIGURATIONS = 20
"""With fewer configurations the best ones are too few to tell anything."""
_LEAST_TOP, _TOP_SHARE = 5, 0.1
"""The best tenth counts, at least five configurations, as the method's authors advise."""
_LOG_RANGE = 10.0


def top_share(num_configurations: int) -> float:
    """The share of the configurations that counts as the best."""
    return max(_TOP_SHARE, _LEAST_TOP / num_configurations)


def is_logarithmic(values: pd.Series) -> bool:
    """Whether a setting's numbers are positive and spread over a decade or more."""
    return bool(values.min() > 0 and values.max() >= _LOG_RANGE * values.min())


def importances(settings: pd.DataFrame, costs: ArrayLike) -> dict[str, float]:
    """Each setting's share in separating the best configurations from the rest.

    For each setting, the density of its values among the best configurations is compared with the density among all,
    by the Pearson divergence; the shares add up to 1. The method sees one setting at a time, no interaction, and only
    the configurations that were tried.

    Args:
        settings: (num_configurations, num_settings); columns of numbers or of text.
        costs: (num_configurations,) or (num_configurations, num_objectives), finite, to be minimised. With several
            objectives the best are nearest the frontier: first by dominance, then by the hypervolume that they add.

    Returns:
        The share of each setting by its name, the largest first; all 0 where all configurations cost the same.

    Raises:
        ValueError: there are fewer than ``MIN_CONFIGURATIONS``.

    Source: Watanabe, Bansal, Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces", arXiv 2304.10255; the code is Optuna's.
    """
    num = len(settings)
    if num < MIN_CONFIGURATIONS:
        raise ValueError(f"got {num} configurations: wanted at least {MIN_CONFIGURATIONS}")
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    values = np.asarray(costs, np.float64).reshape(num, -1)
    if (values == values[0]).all():
        return dict.fromkeys(map(str, settings), 0.0)
    columns = {str(name): _column(settings[name]) for name in settings}
    distributions = {name: distribution for name, (distribution, _) in columns.items()}
    trials = zip(*(told for _, told in columns.values()), strict=True)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(directions=["minimize"] * values.shape[1])
        study.add_trials(
            create_trial(
                params=dict(zip(columns, told, strict=True)), distributions=distributions, values=list(map(float, row))
            )
            for told, row in zip(trials, values, strict=True)
        )
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(target_quantile=top_share(num)))
    finally:
        optuna.logging.set_verbosity(before)
    return {name: float(share) for name, share in found.items() if math.isfinite(share)}


def _column(values: pd.Series) -> tuple[BaseDistribution, list[Any]]:
    """A setting as Optuna takes it: its distribution, and its value in each configuration.

    Words, and numbers that were each tried several times, are passed as codes 0, 1, 2, ...: Optuna's estimator (5.0)
    forgets how often each word was seen, and sees the gaps between numbers on a grid.
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    if not pd.api.types.is_numeric_dtype(values) or 2 * values.nunique() <= len(values):
        codes, different = pd.factorize(values, sort=True)
        return IntDistribution(0, len(different) - 1), list(map(int, codes))
    low, high = float(values.min()), float(values.max())
    return FloatDistribution(low, high, log=is_logarithmic(values)), list(map(float, values))

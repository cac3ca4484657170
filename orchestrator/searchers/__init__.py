"""Registered searchers: what proposes the configurations of a sweep."""

from orchestrator.searchers.base import AbstractSearcher
from orchestrator.searchers.grid import Grid
from orchestrator.searchers.optuna_samplers import Gp, Nsga2, Tpe
from orchestrator.searchers.random import Random
from orchestrator.searchers.sobol import Sobol

SEARCHERS: dict[str, type[AbstractSearcher]] = {
    "grid": Grid,
    "random": Random,
    "sobol": Sobol,
    "tpe": Tpe,
    "nsga2": Nsga2,
    "gp": Gp,
}

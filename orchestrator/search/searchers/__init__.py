"""Registered searchers, which propose the configurations of a sweep."""

from orchestrator.search.searchers.base import AbstractSearcher
from orchestrator.search.searchers.grid import Grid
from orchestrator.search.searchers.optuna_samplers import Gp, Nsga2, Tpe
from orchestrator.search.searchers.random import Random
from orchestrator.search.searchers.sobol import Sobol

SEARCHERS: dict[str, type[AbstractSearcher]] = {
    "grid": Grid,
    "random": Random,
    "sobol": Sobol,
    "tpe": Tpe,
    "nsga2": Nsga2,
    "gp": Gp,
}

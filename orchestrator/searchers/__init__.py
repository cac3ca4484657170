"""Registered searchers: what proposes the configurations of a sweep."""

from orchestrator.searchers.base import AbstractSearcher
from orchestrator.searchers.grid import Grid
from orchestrator.searchers.random import Random

SEARCHERS: dict[str, type[AbstractSearcher]] = {"grid": Grid, "random": Random}

"""Registered schedulers, which stop trainings early that promise nothing."""

from orchestrator.search.schedulers.base import AbstractScheduler
from orchestrator.search.schedulers.mo_asha import MoAsha
from orchestrator.search.schedulers.none import NoScheduler
from orchestrator.search.schedulers.scalarised import Asha, Median

SCHEDULERS: dict[str, type[AbstractScheduler]] = {
    "none": NoScheduler,
    "mo_asha": MoAsha,
    "asha": Asha,
    "median": Median,
}

"""Registered schedulers: what stops trainings that promise nothing."""

from orchestrator.schedulers.base import AbstractScheduler
from orchestrator.schedulers.mo_asha import MoAsha
from orchestrator.schedulers.none import NoScheduler
from orchestrator.schedulers.scalarised import Asha, Median

SCHEDULERS: dict[str, type[AbstractScheduler]] = {
    "none": NoScheduler,
    "mo_asha": MoAsha,
    "asha": Asha,
    "median": Median,
}

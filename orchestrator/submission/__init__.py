"""Sweeps that run elsewhere: how they are submitted, watched and cancelled; one file for each kind of target."""

from orchestrator.submission.base import AbstractSubmitter
from orchestrator.submission.here import Here
from orchestrator.submission.kuberay import KubeRay
from orchestrator.submission.ray_job import RayJobs
from orchestrator.submission.slurm import Slurm

SUBMITTERS: dict[str, type[AbstractSubmitter]] = {
    "ray": RayJobs,
    "kuberay": KubeRay,
    "slurm": Slurm,
    "here": Here,
}

"""Sweeps that run elsewhere: submitted, watched, cancelled."""

from orchestrator.submission.base import AbstractSubmitter
from orchestrator.submission.in_process import InProcess
from orchestrator.submission.kuberay import KubeRay
from orchestrator.submission.ray_job import RayJobs
from orchestrator.submission.slurm import Slurm

SUBMITTERS: dict[str, type[AbstractSubmitter]] = {
    "ray": RayJobs,
    "kuberay": KubeRay,
    "slurm": Slurm,
    "here": InProcess,
}

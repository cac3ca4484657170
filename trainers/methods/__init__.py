"""Registered compression methods. One file each; a new one is added here and nowhere else."""

from trainers.methods.base import AbstractMethod
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.ptq import PostTrainingQuantisation
from trainers.methods.uncompressed import Uncompressed

METHODS: dict[str, type[AbstractMethod]] = {
    "epr": EntropyPenalized,
    "ptq": PostTrainingQuantisation,
    "uncompressed": Uncompressed,
}

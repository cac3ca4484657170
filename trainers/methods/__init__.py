"""Registered compression methods. One file each; a new one is added here and nowhere else."""

from trainers.methods.base import AbstractMethod
from trainers.methods.ecq import EntropyCodedQuantisation
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.ptq import PostTrainingQuantisation
from trainers.methods.qat import QuantisationAwareTraining
from trainers.methods.uncompressed import Uncompressed

METHODS: dict[str, type[AbstractMethod]] = {
    "ecq": EntropyCodedQuantisation,
    "epr": EntropyPenalized,
    "ptq": PostTrainingQuantisation,
    "qat": QuantisationAwareTraining,
    "uncompressed": Uncompressed,
}

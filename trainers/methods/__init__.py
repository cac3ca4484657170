"""Registered compression methods. One file each; a new one is added here and nowhere else."""

from trainers.methods.base import AbstractMethod
from trainers.methods.coreset import Coreset
from trainers.methods.ecq import EntropyCodedQuantisation
from trainers.methods.entropy_penalized import EntropyPenalized
from trainers.methods.espn import ExtremeSparsePruning
from trainers.methods.lcs import CompressibleSubspace
from trainers.methods.low_rank import LowRank
from trainers.methods.magnitude import Magnitude
from trainers.methods.multi_hashing import MultiHashing
from trainers.methods.obs import OptimalBrainSurgeon
from trainers.methods.ptq import PostTrainingQuantisation
from trainers.methods.qat import QuantisationAwareTraining
from trainers.methods.soft_threshold import SoftThreshold
from trainers.methods.spike_slab import SpikeSlab
from trainers.methods.uncompressed import Uncompressed

METHODS: dict[str, type[AbstractMethod]] = {
    "coreset": Coreset,
    "ecq": EntropyCodedQuantisation,
    "epr": EntropyPenalized,
    "espn": ExtremeSparsePruning,
    "lcs": CompressibleSubspace,
    "low_rank": LowRank,
    "magnitude": Magnitude,
    "multi_hashing": MultiHashing,
    "obs": OptimalBrainSurgeon,
    "ptq": PostTrainingQuantisation,
    "qat": QuantisationAwareTraining,
    "spike_slab": SpikeSlab,
    "str": SoftThreshold,
    "uncompressed": Uncompressed,
}

"""The two networks on which compression papers report MNIST."""

from __future__ import annotations

from torch import nn

from trainers.architectures.base import initialise
from trainers.architectures.mlp import mlp


def lenet300_100() -> nn.Module:
    """LeNet300-100 (LeCun et al. 1998): 784-300-100-10, 266,610 parameters."""
    return mlp(input_shape=(1, 28, 28), num_outputs=10, hidden=(300, 100))


def lenet5() -> nn.Module:
    """Caffe's LeNet5: 5x5 convolutions with 20 and 50 channels, one hidden layer of 500; 431,080 parameters."""
    return initialise(
        nn.Sequential(
            nn.Conv2d(1, 20, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(800, 500),
            nn.ReLU(),
            nn.Linear(500, 10),
        )
    )

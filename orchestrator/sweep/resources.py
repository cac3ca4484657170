"""What trials may use: the same for all, with exceptions for some architectures and methods."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, field_validator, model_validator

from analysis.units import format_size
from orchestrator.sweep.section import YamlSection
from trainers.config import Spec, TrialConfig
from trainers.sizes import parse_size


def _memory(value: Any) -> int | None:
    """Bytes, from a number or from text such as ``2 GB``."""
    return None if value is None else parse_size(str(value))


class _Amounts(YamlSection):
    """The fields that say how much a trial may use; never made by itself."""

    cpu: int = Field(default=1, ge=1)
    """Cores, and torch's threads."""
    gpu: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """GPUs: one, a fraction of one, or none."""
    memory: Annotated[int | None, PlainValidator(_memory)] = None
    """Bytes that a node must have left to start it; Ray counts them and enforces nothing."""
    time_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Most seconds of training; a trial that has trained longer at a report fails."""
    data_workers: int = Field(default=0, ge=0)
    """Processes that read examples ahead where these are not in memory, each on a core of its own beside ``cpu``."""

    @field_validator("gpu")
    @classmethod
    def _one_at_most(cls, value: float) -> float:
        if value > 1:
            raise ValueError(
                f"resources.gpu is {value:g}: wanted 1, a fraction, or 0, since a trial trains on one GPU; with "
                "more GPUs more trials run at once"
            )
        return value


class TrialResources(_Amounts):
    """What one trial may use."""

    def for_ray(self) -> dict[str, float]:
        """The same as a bundle of Ray's."""
        return {
            "CPU": self.cpu + self.data_workers,
            "GPU": self.gpu,
            **({"memory": self.memory} if self.memory else {}),
        }

    def __str__(self) -> str:
        gpu = f", {self.gpu:g} GPU" if self.gpu else ""
        memory = f", {format_size(self.memory, trim=True)} of memory" if self.memory else ""
        workers = f", {self.data_workers} data worker{'s' * (self.data_workers > 1)}" if self.data_workers else ""
        return f"{self.cpu} CPU{'s' * (self.cpu > 1)}{workers}{gpu}{memory}"


def _pattern(section: str, value: Any) -> dict[str, Any] | None:
    return None if value is None else Spec.from_dict(section, value).to_dict()


class Where(_Amounts):
    """What trials of one architecture, one method or both may use instead; the rest stays as it is for all trials."""

    architecture: Annotated[dict[str, Any] | None, PlainValidator(lambda value: _pattern("architecture", value))] = None
    method: Annotated[dict[str, Any] | None, PlainValidator(lambda value: _pattern("method", value))] = None
    """A name, or a name and some arguments, which must be equal; the same goes for ``architecture``."""

    @model_validator(mode="after")
    def _says_which(self) -> Where:
        if self.architecture is None and self.method is None:
            raise ValueError("resources.where has an entry without architecture and method: wanted one of them")
        return self

    def fits(self, config: TrialConfig) -> bool:
        """Whether the trial of ``config`` is one of those."""
        return _fits(self.architecture, config.architecture) and _fits(self.method, config.method)


class Resources(_Amounts):
    """What each trial of a sweep may use."""

    where: tuple[Where, ...] = Field(default=(), strict=False)
    """Exceptions; where several fit a trial, they apply in order, and each changes only what it says."""

    def of(self, config: TrialConfig) -> TrialResources:
        """What the trial of ``config`` may use."""
        amounts = {key: getattr(self, key) for key in _Amounts.model_fields}
        for entry in self.where:
            if entry.fits(config):
                amounts |= {key: getattr(entry, key) for key in _Amounts.model_fields if key in entry.model_fields_set}
        return TrialResources(**amounts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an entry of ``where`` has only what it said."""
        common = {key: getattr(self, key) for key in _Amounts.model_fields if getattr(self, key) is not None}
        if not self.data_workers:
            del common["data_workers"]  # as sweeps were written before there were any
        entries = [entry.model_dump(exclude_unset=True) for entry in self.where]
        return {**common, **({"where": entries} if entries else {})}

    def patterns(self, section: str) -> list[dict[str, Any]]:
        """The architectures or methods, by ``section``, that entries of ``where`` name."""
        return [pattern for entry in self.where if (pattern := getattr(entry, section)) is not None]


def _fits(pattern: dict[str, Any] | None, spec: Spec) -> bool:
    given = spec.to_dict()
    return pattern is None or all(key in given and given[key] == item for key, item in pattern.items())

"""Searches by Optuna's multi-objective samplers, which learn from earlier configurations what to propose."""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from orchestrator.search.domains import AbstractDomain, Choice, IntegerRange, RealRange
from orchestrator.search.goals import Goals, Told
from orchestrator.search.searchers.base import MOST_TRIALS, AbstractSearch, AbstractSearcher, Asked
from orchestrator.search.searchers.random import draw_unseen
from orchestrator.search.space import Configuration, Space, identity
from trainers import checks
from trainers.seeding import derive

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

_MAX_PROPOSALS = 5
"""Proposals in a row that were all asked for before; after these a configuration is drawn at random."""


class OptunaSearch(AbstractSearch):
    """A search with one of Optuna's samplers.

    For each proposal the study is made anew from all that was asked and told, and the sampler is seeded anew.
    """

    def __init__(
        self,
        space: Space,
        goals: Goals,
        seed: int,
        num_trials: int,
        make_sampler: Callable[[int], BaseSampler],
        foreign_attributes: dict[str, Any] | None = None,
    ) -> None:
        self._space, self._goals, self._seed = space, goals, seed
        self._num_trials, self._make_sampler = num_trials, make_sampler
        self._foreign_attributes = foreign_attributes or {}
        self._foreign: list[FrozenTrial] = []
        self._trials: list[FrozenTrial] = []
        self._seen: set[str] = set()

    def ask(self) -> Asked | None:
        if len(self._trials) == self._num_trials:
            return None
        asked = self._propose() or self._draw()
        if asked is not None:
            self.restore(asked)
        return asked

    def restore(self, asked: Asked) -> None:
        self._trials.append(self._trial(**asked.memo))
        self._seen.add(identity(asked.configuration))

    def tell(self, number: int, told: Told | None) -> None:
        trial = self._trials[number]
        self._trials[number] = self._trial(trial.params, trial.system_attrs, told, is_over=True)

    def tell_foreign(self, configuration: Configuration, told: Told) -> bool:
        params = self._params(configuration)
        if params is None:
            return False
        self._foreign.append(self._trial(params, self._foreign_attributes, told, is_over=True))
        self._seen.add(identity(configuration))
        return True

    def _propose(self) -> Asked | None:
        """The sampler's next configuration; None where it repeats itself."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        number = len(self._trials)
        for attempt in range(_MAX_PROPOSALS):
            study = optuna.create_study(
                directions=["minimize"] * len(self._goals.objectives),
                sampler=self._make_sampler(derive(self._seed, f"search {number}", attempt) % 2**32),
            )
            study.add_trials([*self._foreign, *self._trials])
            with np.errstate(divide="ignore", invalid="ignore"):  # Gaussian processes where nothing is left to gain
                configuration = self._space.choose(functools.partial(_suggest, study.ask()))
            if identity(configuration) not in self._seen:
                proposed = study.get_trials(deepcopy=False)[-1]
                memo = {"params": proposed.params, "attributes": proposed.system_attrs}
                return Asked(configuration=configuration, memo=memo)
        return None

    def _draw(self) -> Asked | None:
        unseen = draw_unseen(self._space, self._seen, derive(self._seed, "search", len(self._trials)))
        if unseen is None:
            return None
        return Asked(configuration=unseen, memo={"params": self._params(unseen), "attributes": {}})

    def _trial(
        self, params: dict[str, Any], attributes: dict[str, Any], told: Told | None = None, *, is_over: bool = False
    ) -> FrozenTrial:
        from optuna.trial import TrialState, create_trial

        distributions: dict[str, BaseDistribution] = {}

        def note(name: str, domain: AbstractDomain) -> Any:
            if name in params:
                distributions[name] = _distribution(domain)
            return _value(domain, params.get(name, 0))

        self._space.choose(note)
        over = TrialState.COMPLETE if told else TrialState.FAIL
        return create_trial(
            state=over if is_over else TrialState.RUNNING,
            values=told.costs if told else None,
            params=params,
            distributions=distributions,
            system_attrs=dict(attributes),  # it writes to them
            constraints=dict(zip(map(str, self._goals.constraints), told.violations, strict=True)) if told else None,
        )

    def _params(self, configuration: Configuration) -> dict[str, Any] | None:
        """The configuration's parameters as Optuna has them; None where it is not in the space."""
        located = self._space.locate(configuration)
        if located is None:
            return None
        params: dict[str, Any] = {}

        def note(name: str, domain: AbstractDomain) -> Any:
            if not isinstance(domain, Choice):
                params[name] = located[name]
            elif len(domain.values) > 1:
                params[name] = list(domain.values).index(located[name])
            return located[name]

        self._space.choose(note)
        return params


def _suggest(trial: optuna.Trial, name: str, domain: AbstractDomain) -> Any:
    if isinstance(domain, Choice) and len(domain.values) == 1:  # nothing to learn
        return domain.values[0]
    if isinstance(domain, Choice):
        return _value(domain, trial.suggest_categorical(name, range(len(domain.values))))
    if isinstance(domain, RealRange):
        return _value(domain, trial.suggest_float(name, domain.low, domain.high, log=domain.log))
    assert isinstance(domain, IntegerRange)
    return trial.suggest_int(name, domain.low, domain.high)


def _distribution(domain: AbstractDomain) -> BaseDistribution:
    """The distribution that ``_suggest`` draws from."""
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(range(len(domain.values)))
    if isinstance(domain, RealRange):
        return distributions.FloatDistribution(domain.low, domain.high, log=domain.log)
    assert isinstance(domain, IntegerRange)
    return distributions.IntDistribution(domain.low, domain.high)


def _value(domain: AbstractDomain, param: Any) -> Any:
    if isinstance(domain, Choice):  # Optuna learns their numbers: its categories cannot be lists
        return domain.values[param]
    return domain.round(param) if isinstance(domain, RealRange) else param


@dataclass(frozen=True, kw_only=True)
class AbstractOptunaSearcher(AbstractSearcher):
    """``num_trials`` different configurations, or as many as the space has."""

    is_adaptive: ClassVar[bool] = True

    num_trials: int
    num_random: int = 8
    """The number of random configurations at the start, before there is anything to learn from."""
    warm_start: Sequence[str] = ()
    """Earlier sweeps, by name or id; the search learns from those of their results that lie in its space."""

    def __post_init__(self) -> None:
        checks.integer("num_trials", self.num_trials, low=1, high=MOST_TRIALS)
        checks.integer("num_random", self.num_random, low=1, high=MOST_TRIALS)
        if isinstance(self.warm_start, str) or not all(isinstance(item, str) for item in self.warm_start):
            raise ValueError(f"warm_start is {self.warm_start!r}: wanted a list of sweeps")

    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        return OptunaSearch(space, goals, seed, self.num_trials, self._sampler)

    @property
    def earlier_sweeps(self) -> Sequence[str]:
        return self.warm_start

    @abc.abstractmethod
    def _sampler(self, seed: int) -> BaseSampler:
        """One of Optuna's samplers, whose state follows from ``seed``."""


@dataclass(frozen=True, kw_only=True)
class Tpe(AbstractOptunaSearcher):
    """Tree-structured Parzen estimators: proposes settings that good configurations have and bad ones do not.

    Sources: Bergstra, Bardenet, Bengio, Kegl 2011, "Algorithms for hyper-parameter optimization"; Ozaki, Tanigaki,
    Watanabe, Onishi 2020, "Multiobjective tree-structured Parzen estimator for computationally expensive optimization
    problems".
    """

    def _sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(seed=seed, n_startup_trials=self.num_random)


@dataclass(frozen=True, kw_only=True)
class Nsga2(AbstractOptunaSearcher):
    """A genetic algorithm: ``num_random`` is the size of a generation.

    Source: Deb, Pratap, Agarwal, Meyarivan 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II".
    """

    def start(self, space: Space, goals: Goals, seed: int) -> AbstractSearch:
        from optuna.samplers import NSGAIISampler

        first_generation = {NSGAIISampler._get_generation_key(): 0}  # else results of an earlier sweep are no parents
        return OptunaSearch(space, goals, seed, self.num_trials, self._sampler, first_generation)

    def _sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(seed=seed, population_size=self.num_random)


@dataclass(frozen=True, kw_only=True)
class Gp(AbstractOptunaSearcher):
    """Gaussian processes: proposes what promises most hypervolume; each proposal takes a second or two.

    They model only settings that every configuration has; a setting of one method among several is drawn at random.

    Source: Daulton, Balandat, Bakshy 2020, "Differentiable expected hypervolume improvement for parallel
    multi-objective Bayesian optimization"; Optuna's own logarithmic form.
    """

    def _sampler(self, seed: int) -> BaseSampler:
        import torch
        from optuna.samplers import GPSampler

        torch.set_num_threads(1)  # the driver computes nothing else, and beside trials more threads are slower
        return GPSampler(seed=seed, n_startup_trials=self.num_random, warn_independent_sampling=False)

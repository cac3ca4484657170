"""The command that says what a sweep would run and take: plan; and what ``sweep`` announces before it starts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import Json, allow_own_modules
from orchestrator.commands.source import SweepSource, with_sweep_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from orchestrator.planning.estimate import Estimate
    from orchestrator.planning.study import Study
    from orchestrator.sweep.definition import Sweep
    from orchestrator.sweep.trials import Trial

_LARGE_H = 1.0
"""Hours from which on ``sweep`` asks before it starts."""
_MOST_LINES = 1000
"""The most configurations that ``plan`` lists: laying out more takes longer than all else that it does."""


@with_sweep_source
def plan(
    source: SweepSource,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Build the networks, and measure a few steps of each kind of trial, for the time.",
        ),
    ] = True,
    price_per_hour: Annotated[
        float | None, typer.Option(min=0, help="Of the machine, in any currency, for the cost.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a sweep would run, how long it would take and what it would cost; starts nothing.

    Example: `ratefront plan digits --set seeds=3 --price-per-hour 0.50`
    """
    from orchestrator.commands.console import open_console
    from orchestrator.planning.checks import check_quickly
    from orchestrator.planning.estimate import estimate
    from orchestrator.planning.study import Study
    from orchestrator.ray_tune.nodes import num_cpus
    from orchestrator.storage.folder import MemoryFolder
    from orchestrator.storage.journal import Journal

    if price_per_hour is not None and not measure:
        raise ValueError("--price-per-hour needs the time, which --no-measure leaves out: give one of them")
    allow_own_modules()
    chosen = source.read()
    study = Study(chosen, Journal(MemoryFolder()))
    trials, num_trials = study.sample, study.most_to_run
    known = check_quickly(trials) if measure else None
    if as_json:
        found = estimate(chosen, trials, num_trials, num_cpus=num_cpus(), known=known) if measure else None
        typer.echo(json.dumps(_as_json(chosen, study.trials, num_trials, found, price_per_hour), indent=1))
        return
    console = open_console()
    if not chosen.is_adaptive:
        _print_trials(chosen, study.trials, console)
    _print_summary(study, num_trials, console)
    if measure:
        console.print()
        found = estimate(chosen, trials, num_trials, num_cpus=num_cpus(), known=known)
        _print_estimate(found, price_per_hour, console)


def announce(study: Study, left: Sequence[Trial], *, console: Console, here: bool, ask: bool) -> None:
    """Say what is left of a sweep; at a terminal also say how long it takes, and ask whether to start if that is long.

    Args:
        study: the sweep's study.
        left: its known trials that are not over.
        console: where to print.
        here: whether it runs on this machine, so that time measured here means something.
        ask: whether a person may be asked.

    Raises:
        KeyboardInterrupt: the person said no.
    """
    from orchestrator.planning.estimate import estimate
    from orchestrator.ray_tune.nodes import num_cpus

    chosen = study.sweep
    num_over = len(study.trials) - len(left)
    num_left = study.most_to_run - num_over
    _print_summary(study, num_left, console)
    if not (here and ask and console.is_terminal and sys.stdin.isatty()):
        return
    trials = study.sample if chosen.is_adaptive else left
    found = estimate(chosen, trials, num_left, num_cpus=num_cpus())
    console.print(_sentence(found), highlight=False, soft_wrap=True)
    if found.hours >= _LARGE_H and not typer.confirm("start?", default=True):
        raise KeyboardInterrupt


def _print_trials(chosen: Sweep, trials: Sequence[Trial], console: Console) -> None:
    """Print a line for each configuration, of many for the first thousand."""
    from rich.markup import escape
    from rich.table import Table

    from trainers.config import Spec, settings_text

    first_seed = [trial.config for trial in trials if trial.config.seed == chosen.seed and trial.config.is_first_file]
    table = Table(box=None, header_style="bold")
    are_modified = any(config.modifiers for config in first_seed)
    kept = _varying([config.settings for config in first_seed])
    for column in (
        "task",
        "architecture",
        "method",
        *["modifiers"] * are_modified,
        *["training"] * bool(kept),
        "steps",
    ):
        table.add_column(column)
    methods: dict[str, dict[str, Any]] = {}
    for config in first_seed:
        methods.setdefault(config.method.name, config.method.arguments)
    varying = {
        (config.method.name, key)
        for config in first_seed
        for key, value in config.method.arguments.items()
        if methods[config.method.name].get(key) != value
    }
    for config in first_seed[:_MOST_LINES]:
        varied = {key: value for key, value in config.method.arguments.items() if (config.method.name, key) in varying}
        shown = Spec(name=config.method.name, arguments=varied)
        modifiers = ", ".join(str(Spec(name=name, arguments=own)) for name, own in config.modifiers.items())
        training = settings_text({name: one for name, one in config.settings.items() if name in kept})
        beside = [*[modifiers] * are_modified, *[training] * bool(kept)]
        cells = (config.whole_task, config.architecture, shown, *beside, config.length)
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
    if len(first_seed) > _MOST_LINES:
        console.print(f" and {len(first_seed) - _MOST_LINES:,} more: --json has all of them", highlight=False)
    console.print()


def _varying(settings: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of training settings that are not the same in all."""
    names = {name for one in settings for name in one}
    return {name for name in names if any(one.get(name) != settings[0].get(name) for one in settings)}


def _print_summary(study: Study, num_trials: int, console: Console) -> None:
    """Print what will run, and with what."""
    from orchestrator.search.domains import Choice
    from orchestrator.search.space import SpecSpace, setting_to_dict
    from trainers.sources import Source

    chosen = study.sweep
    lines = [f"sweep {chosen.sweep_id}: {_counted(chosen, study.most_trials, num_trials)}"]
    stops = f", stopped early by {chosen.scheduler['name']!r}" if chosen.scheduler["name"] != "none" else ""
    lines.append(f"proposed by {chosen.search['name']!r}{stops}")
    granted = sorted({str(chosen.resources.of(trial.config)) for trial in study.sample})
    lines.append(f"each trial has {' or '.join(granted)}")
    if chosen.budget.is_set:
        limits = ", ".join(f"{key} {item:g}" for key, item in chosen.budget.model_dump(exclude_none=True).items())
        lines.append(f"budget: {limits}")
    if chosen.init_from:
        lines.append(f"initial values: {Source.from_dict(chosen.init_from)}")
    elif chosen.may_train_nothing:
        lines.append("no init_from: with 0 steps networks are stored untrained, as their architectures draw them")
    sets = [" with ".join(spec.name for spec in one) or "none" for one in chosen.modifiers]
    if sets != ["none"]:
        lines.append(f"modifiers: {' or '.join(sets)}")
    for name, some in chosen.space.settings.items():
        first = some[0].values if isinstance(some[0], Choice) else some
        texts = [one.name if isinstance(one, SpecSpace) else setting_to_dict(one) for one in first]
        lines.append(f"{name}: {' or '.join(f'{one:.12g}' if isinstance(one, float) else str(one) for one in texts)}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _counted(chosen: Sweep, most: int, num_trials: int) -> str:
    """``18 configurations x 3 seeds = 54 trials``."""
    at_most = "up to " if chosen.is_adaptive else ""
    number = most // chosen.num_repeats
    counted = f"{at_most}{number} configuration{'s' * (number != 1)}"
    for files in chosen.files.values():
        counted += f" x {len(files)} files"
    if chosen.seeds > 1:
        counted += f" x {chosen.seeds} seeds"
    if chosen.num_repeats > 1:
        counted += f" = {most} trials"
    return counted if num_trials == most else f"{counted}, of which {num_trials} will run"


def _print_estimate(found: Estimate, price_per_hour: float | None, console: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from orchestrator.search.space import settings_without_numbers

    table = Table(box=None, header_style="bold")
    kinds = [settings_without_numbers(kind.example.settings) for kind in found.kinds]
    kept = _varying(kinds)
    for column in ("architecture", "method", *["training"] * bool(kept)):
        table.add_column(column, overflow="fold")
    for column in ("ms a step", "s a trial", "trials"):
        table.add_column(column, justify="right")
    for kind, settings in zip(found.kinds, kinds, strict=True):
        training = ", ".join(name if one is True else f"{name} {one}" for name, one in settings.items() if name in kept)
        step_ms = f"{1000 * kind.step_s:.3g}" if kind.example.trains else "-"
        times = ("-", "-") if kind.failure else (step_ms, f"{kind.trial_s:.3g}")
        cells = (str(kind.example.architecture), kind.method, *[training] * bool(kept), *times, f"{kind.num_trials}")
        table.add_row(*map(escape, cells))
    console.print(table)
    for kind in (kind for kind in found.kinds if kind.failure):
        line = f"left out: {kind.example.architecture} with {kind.method}: {kind.failure}"
        console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    console.print(f"\n{_sentence(found)}", highlight=False, soft_wrap=True)
    if price_per_hour is not None and found.hours:
        console.print(f"cost: {found.hours * price_per_hour:.2f} at {price_per_hour:g} an hour", highlight=False)


def _sentence(found: Estimate) -> str:
    if all(kind.failure for kind in found.kinds):
        return "how long it takes could not be measured here"
    limited = f", then {found.budget} is spent" if found.budget else ""
    least, most = _duration(found.hours / found.factor), _duration(found.hours * found.factor)
    return (
        f"about {_duration(found.hours)} ({least} to {most}), {found.at_once} at once; "
        f"{_duration(found.train_h)} one after the other{limited}\n"
        f"sure within a factor of {found.factor:g}: {_measured(found)}\n"
        "assumed: each takes what its parts took on this machine just now, none disturbs another, none is stopped "
        "early, nothing fails"
    )


def _measured(found: Estimate) -> str:
    """How much was measured, as the reason for the factor."""
    if found.num_kinds > len(found.kinds):
        return (
            f"{len(found.kinds)} of {found.num_kinds} kinds of trials were measured in the time that there is, and "
            "stand for all; sweep tries the others before it starts"
        )
    if not found.is_whole:
        return "steps are long here, so they were measured with fewer examples than a batch has"
    if not any(kind.example.trains for kind in found.kinds):
        return "the beginning of each kind of trial was measured, some examples and a small file"
    return "a few whole steps of each kind of trial were measured, some examples and a small file"


def _duration(hours: float) -> str:
    """``42 s``, ``12 min``, ``3.4 h``."""
    seconds = hours * 3600
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{hours:.1f} h"


def _as_json(
    chosen: Sweep, trials: Sequence[Trial], num_trials: int, found: Estimate | None, price_per_hour: float | None
) -> dict[str, Any]:
    from orchestrator.search.space import settings_without_numbers

    content: dict[str, Any] = {
        "sweep_id": chosen.sweep_id,
        "num_trials": num_trials,
        "trials": [{"trial_id": trial.trial_id, **trial.config.to_dict()} for trial in trials],
    }
    if found is not None:
        kinds = [
            {
                "architecture": kind.example.architecture.to_dict(),
                "method": kind.method,
                "settings": settings_without_numbers(kind.example.settings),
                "resources": kind.resources.model_dump(),
                "num_trials": kind.num_trials,
                "step_s": kind.step_s,
                "trial_s": kind.trial_s,
                "is_extrapolated": kind.is_extrapolated,
                "failure": kind.failure,
            }
            for kind in found.kinds
        ]
        cost = {"cost": found.hours * price_per_hour} if price_per_hour is not None else {}
        content["estimate"] = {
            "wall_s": found.hours * 3600,
            "trial_s": found.train_h * 3600,
            "factor": found.factor,
            "num_kinds": found.num_kinds,
            "at_once": found.at_once,
            "budget": found.budget,
            **cost,
            "kinds": kinds,
        }
    return content

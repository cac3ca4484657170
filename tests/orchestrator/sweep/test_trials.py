"""The trials of a sweep: their ids, their order, and the seeds of each configuration."""

from __future__ import annotations

from orchestrator.planning.study import plan
from orchestrator.sweep.definition import Sweep
from tests.orchestrator.samples import document, error_of


def test_the_plan_of_a_small_sweep_is_this_one() -> None:
    rows = [
        (trial.trial_id, str(trial.config.architecture), trial.config.method.arguments.get("lam"))
        for trial in plan(Sweep.from_dict(document()))
    ]
    first_seed = [
        ("0000-epr-s0", "mlp(hidden=[8])", 0.1),
        ("0001-epr-s0", "mlp(hidden=[8])", 1.0),
        ("0002-uncompressed-s0", "mlp(hidden=[8])", None),
        ("0003-epr-s0", "mlp(hidden=[16,8])", 0.1),
        ("0004-epr-s0", "mlp(hidden=[16,8])", 1.0),
        ("0005-uncompressed-s0", "mlp(hidden=[16,8])", None),
    ]
    assert rows == first_seed + [(name.replace("-s0", "-s1"), *rest) for name, *rest in first_seed]


def test_seeds_are_paired_over_configurations() -> None:
    trials = plan(Sweep.from_dict(document(seed=3, seeds=2)))
    seeds: dict[str, list[int]] = {}
    for trial in trials:
        seeds.setdefault(trial.config.config_hash, []).append(trial.config.seed)
    assert list(seeds.values()) == [[3, 4]] * 6
    assert all(trial.trial_id.endswith(f"-s{trial.config.seed}") for trial in trials)


def test_trial_ids_are_unique_and_those_of_one_seed_sort_in_the_order_of_the_plan() -> None:
    sweep = Sweep.from_dict(
        document(
            seeds=1, method={"name": "epr", "lam": {"uniform": [0.1, 1]}}, search={"name": "random", "num_trials": 300}
        )
    )
    ids = [trial.trial_id for trial in plan(sweep)]
    assert ids == sorted(set(ids))
    assert len(ids) == 300


def test_a_value_that_the_method_refuses_is_found_before_anything_starts() -> None:
    message = error_of(document(method=["epr", {"name": "epr", "lam": [0.1, -1]}]))
    assert message.startswith("method 'epr': lam is -1.0: wanted a number")

"""Every mistake in a sweep gets an error of one line."""

from typing import Any

import pytest

from tests.orchestrator.samples import document, error_of
from trainers.echo import echo
from trainers.methods import METHODS

NEEDED = "a sweep needs task, architecture and method"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "digts"}, "unknown task 'digts'; did you mean 'digits'?"),
        ({"architecture": "mpl"}, "unknown architecture 'mpl'; did you mean 'mlp'?"),
        ({"method": ["epr", "uncompresed"]}, "unknown method 'uncompresed'; did you mean 'uncompressed'?"),
        ({"method": "mine:Own"}, f"unknown method 'mine:Own'; valid: {', '.join(sorted(METHODS))}"),
        ({"architecture": []}, "architecture is []: wanted at least one"),
        ({"method": []}, "method is []: wanted at least one"),
        ({"method": None}, "method is None: wanted a name, or a mapping with a name and arguments"),
        ({"task": ["digits"]}, "task is ['digits']: wanted a name, or a mapping with a name and arguments"),
        (
            {"task": {"name": "digits", "limit": 5}},
            "task 'digits' has no argument 'limit'; valid: calibration, label_smoothing, top",
        ),
        (
            {"architecture": {"name": "mlp", "hiden": [8]}},
            "architecture 'mlp' has no argument 'hiden'; did you mean 'hidden'?",
        ),
        ({"method": {"name": "epr", "lma": 1}}, "method 'epr' has no argument 'lma'; did you mean 'lam'?"),
        (
            {"method": {"name": "epr", "lam": {"loguniform": [0, 1]}}},
            "method 'epr': lam is {'loguniform': [0, 1]}: wanted [low, high] with 0 < low < high",
        ),
        (
            {"method": {"name": "epr", "lam": {"path": [3.2, float("nan")]}}},
            "method 'epr': lam is {'path': [3.2, nan]}: wanted finite numbers, and nan is none",
        ),
        (
            {"method": {"name": "epr", "lam": {"path": {"from": float("inf"), "to": 0.2, "points": 3}}}},
            "method 'epr': lam is {'path': {'from': inf, 'to': 0.2, 'points': 3}}: wanted finite numbers, and inf is "
            "none",
        ),
        (
            {"method": {"name": "ptq", "bits": [2, float("nan")]}},
            "method 'ptq': bits is [2, nan]: wanted finite numbers, and nan is none",
        ),
        (
            {"method": {"name": "epr", "lam": 10**400}},
            f"method 'epr': lam is {echo(10**400)}: wanted finite numbers, and {echo(10**400)} is none",
        ),
        (
            {"method": {"name": "epr", "lam": {"from": 3.2, "to": 0.2}}},
            "method 'epr': lam is {'from': 3.2, 'to': 0.2}: 'path' is missing: wanted a value, or "
            "{path: [3.2, 0.8, 0.2]}, or {path: {from: 3.2, to: 0.2, points: 5}}",
        ),
        ({"steps": -5}, "steps is -5: wanted a whole number of at least 0"),
        ({"steps": "many"}, "steps is 'many': wanted a whole number of at least 0"),
        (
            {"steps": [0, 9], "method": {"name": "str", "threshold_decay": 2}},
            "steps is 0, and method 'str' has to learn its thresholds: wanted steps, or a method that takes a network "
            f"as it is: {', '.join(name for name, method in METHODS.items() if not method.learns)}",
        ),
        (
            {"steps": 0, "method": {"name": "epr", "lam": {"path": [2, 1]}}},
            "steps is 0, and method 'epr' passes a path of lam while it trains: wanted steps, or a single value",
        ),
        (
            {"steps": 0, "modifiers": {"unit_sphere": True}},
            "steps is 0, and modifier 'unit_sphere' changes only how a network is trained: wanted steps, or no "
            "modifiers",
        ),
        ({"batch_size": True}, "batch_size is True: wanted a whole number of at least 1"),
        (
            {"init_from": 3},
            "init_from is 3: wanted the path of a state_dict, or a trained network's name, or a mapping such as "
            "{path: net.pt, key: ema, strict: false}",
        ),
        (
            {"init_from": {"path": "net.pth", "stict": False}},
            "init_from has no 'stict'; did you mean 'strict'?",
        ),
        (
            {"init_from": {"strict": False}},
            "init_from.path is '': wanted the path of a state_dict, or a trained network's name",
        ),
        (
            {"init_from": "resnet20"},
            "init_from is 'resnet20': wanted a file that ends in .pth, .pt, .th, .safetensors, .rfz, a folder "
            "of safetensors, or a trained network's name: resnet20_cifar10, resnet32_cifar10; or fusion(A, B) of "
            "several",
        ),
        (
            {"init_from": "/no/such/net.pth"},
            "init_from: cannot read /no/such/net.pth (No such file or directory): wanted a file of trained values; "
            "a relative path begins at the working directory",
        ),
        ({"seeds": 0}, "seeds is 0: wanted greater than or equal to 1"),
        ({"seeds": "3"}, "seeds is '3': wanted a valid integer"),
        ({"seed": -1}, "seed is -1: wanted greater than or equal to 0"),
        (
            {"name": "my sweep"},
            "name is 'my sweep': wanted letters, digits, '.', '_', '-', the first a letter or digit",
        ),
        ({"name": "../x"}, "name is '../x': wanted letters, digits, '.', '_', '-', the first a letter or digit"),
        ({"name": 3}, "name is 3: wanted a valid string"),
        ({"search": "gird"}, "unknown search 'gird'; did you mean 'grid'?"),
        ({"search": "random"}, "search 'random' needs 'num_trials'"),
        (
            {"search": {"name": "random", "num_trails": 3}},
            "search 'random' has no argument 'num_trails'; did you mean 'num_trials'?",
        ),
        (
            {"search": {"name": "random", "num_trials": 0}},
            "search 'random': num_trials is 0: wanted a whole number of at least 1 and at most 20000",
        ),
        ({"stpes": 5}, "unknown field 'stpes'; did you mean 'steps'?"),
        (
            {"stpes": 5, "seeds": 0, "seed": -1},
            "unknown field 'stpes'; did you mean 'steps'?; "
            "seed is -1: wanted greater than or equal to 0; seeds is 0: wanted greater than or equal to 1",
        ),
    ],
)
def test_a_mistake_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    assert error_of(document(**change)) == message


def test_a_missing_part_is_named() -> None:
    assert error_of({"task": "digits", "architecture": "mlp"}) == f"method is missing: {NEEDED}"
    assert error_of({}) == f"task and architecture and method are missing: {NEEDED}"
    assert error_of(None) == "a sweep is None: wanted a mapping with task, architecture and method"

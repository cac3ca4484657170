"""What trials may use, as a sweep file has it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import SweepError
from orchestrator.sweep.definition import Sweep
from orchestrator.sweep.resources import TrialResources

LAM = {"loguniform": [0.1, 1.0]}

ONE_GPU = "wanted 1, a fraction, or 0, since a trial trains on one GPU; with more GPUs more trials run at once"


def document(**changes: Any) -> dict[str, Any]:
    return {"task": "digits", "architecture": "mlp", "method": {"name": "epr", "lam": LAM}, **changes}


def error_of(**changes: Any) -> str:
    with pytest.raises(SweepError) as error:
        Sweep.from_dict(document(**changes))
    return str(error.value)


def test_resources_of_an_architecture_are_read_written_and_no_part_of_the_identity() -> None:
    entry = {"architecture": "mlp", "cpu": 2, "memory": "1.5 GB"}
    given = Sweep.from_dict(document(resources={"cpu": 1, "where": [entry]}))
    written = given.to_dict()["resources"]
    assert written == {
        "cpu": 1,
        "gpu": 0.0,
        "where": [{"architecture": {"name": "mlp"}, "cpu": 2, "memory": 1_500_000_000}],
    }
    assert Sweep.from_dict(given.to_dict()) == given
    assert given.sweep_id == Sweep.from_dict(document()).sweep_id


def test_data_workers_have_cores_of_their_own_and_are_written_where_there_are_any() -> None:
    sweep = Sweep.from_dict(document(resources={"cpu": 2, "data_workers": 3, "where": [{"method": "epr", "gpu": 1}]}))
    assert sweep.to_dict()["resources"]["data_workers"] == 3
    assert sweep.sweep_id == Sweep.from_dict(document()).sweep_id
    resources = TrialResources(cpu=2, data_workers=3, gpu=1)
    assert resources.for_ray() == {"CPU": 5, "GPU": 1}
    assert str(resources) == "2 CPUs, 3 data workers, 1 GPU"
    assert str(TrialResources(data_workers=1)) == "1 CPU, 1 data worker"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resources": {"data_workers": -1}}, "resources.data_workers is -1: wanted greater than or equal to 0"),
        ({"resources": {"gpus": 1}}, "unknown field 'resources.gpus'; did you mean 'resources.gpu'?"),
        ({"resources": {"gpu": -1}}, "resources.gpu is -1: wanted greater than or equal to 0"),
        ({"resources": {"gpu": 1.5}}, f"resources.gpu is 1.5: {ONE_GPU}"),
        ({"resources": {"gpu": 2}}, f"resources.gpu is 2: {ONE_GPU}"),
        (
            {"resources": {"cpu": 0.5}},
            "resources.cpu is 0.5: wanted a valid integer",
        ),
        ({"resources": 2}, "resources is 2: wanted a mapping, such as {cpu: 1, gpu: 0}"),
        (
            {"resources": {"memory": "much"}},
            "got size 'much': wanted bytes such as 812, 10kB or 1.5MB (1 kB = 1000 bytes)",
        ),
        (
            {"resources": {"where": [{"cpu": 2}]}},
            "resources.where has an entry without architecture and method: wanted one of them",
        ),
        (
            {"resources": {"where": [{"method": "ptq", "cpu": 2}]}},
            "resources.where: no trial has method ptq: wanted one of epr",
        ),
        (
            {"resources": {"where": [{"method": {"name": "epr", "lam": 3.0}, "cpu": 2}]}},
            "resources.where: no trial has method epr(lam=3): wanted one of epr",
        ),
        (
            {"resources": {"where": [{"architecture": {"name": "mlp", "hiden": [8]}, "cpu": 2}]}},
            "resources.where: no trial has architecture mlp(hiden=[8]): wanted one of mlp",
        ),
        (
            {"resources": {"where": [{"methods": "epr", "cpu": 2}]}},
            "unknown field 'resources.where.0.methods'; did you mean 'resources.where.0.method'?",
        ),
        ({"resources": {"where": [3]}}, "resources.where.0 is 3: wanted a mapping, such as {method: epr, cpu: 2}"),
    ],
)
def test_a_mistake_in_resources_is_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    assert error_of(**changes) == message

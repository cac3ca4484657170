"""The pods of a RayJob: their users, resources, environment and mounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
# a node that hangs is given up after some 7 s rather than 67
_HEALTH = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
_CREDENTIALS = {"MLFLOW_TRACKING_USERNAME": "username", "MLFLOW_TRACKING_PASSWORD": "password"}
"""Environment variables, and the keys of the secret ``ratefront-tracking`` that hold their values."""
_BUCKET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""Keys of the secret ``ratefront-storage``; it may be absent where the pods' service account may use the bucket."""
_SPOT = [
    {"key": "cloud.google.com/gke-spot", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot", "effect": "NoSchedule"},
    {"key": "ratefront/spot", "operator": "Exists", "effect": "NoSchedule"},
]
_GPU = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
SWEEPS = "/sweeps"
"""Where the volume of all sweeps is mounted."""
_API = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, kw_only=True)
class Pods:
    """Makes the pods of one submission; the fields are what all of them share."""

    image: str
    env: Mapping[str, str]
    volume: Mapping[str, Any]
    """The volume with the sweep and the user's own modules."""
    mount: Mapping[str, Any]
    is_bucket: bool = False
    """Whether sweeps are stored in a bucket, and not on the volume."""

    def head(self, *, scales: bool) -> dict[str, Any]:
        """The head, which drives the sweep. It trains nothing, since a busy head answers late."""
        size = {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}}
        ports = [
            {"name": "gcs-server", "containerPort": 6379},
            {"name": "dashboard", "containerPort": 8265},
            {"name": "metrics", "containerPort": 8080},
        ]
        pod = self._pod("ray-head", size, ports, account="ratefront-head" if scales else "ratefront")
        if scales:
            pod["spec"]["volumes"].append(_api_key())
        return {"metadata": {"labels": {"app.kubernetes.io/component": "head"}}, **pod}

    def worker(self, size: Mapping[str, Any]) -> dict[str, Any]:
        """A worker, which runs trials; it tolerates the taints of spot nodes."""
        ports = [{"name": "metrics", "containerPort": 8080}]
        pod = self._pod("ray-worker", {"requests": dict(size), "limits": dict(size)}, ports)
        pod["spec"]["tolerations"] = [*_SPOT, *([_GPU] if "nvidia.com/gpu" in size else [])]
        return {"metadata": {"labels": {"app.kubernetes.io/component": "worker"}}, **pod}

    def submitter(self) -> dict[str, Any]:
        """The pod that hands the command to the cluster, and repeats what the command prints."""
        size = {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
        return {
            "spec": {
                **self._common("ratefront"),
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "ray-job-submitter",
                        "image": self.image,
                        "resources": size,
                        "securityContext": _CONTAINER,
                        "volumeMounts": [_mount("tmp"), _mount("home")],
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "home", "emptyDir": {}}],
            }
        }

    def autoscaler(self) -> dict[str, Any]:
        """The autoscaler, the one container with a key of the Kubernetes API."""
        return {
            "upscalingMode": "Default",
            "idleTimeoutSeconds": 300,
            "resources": {
                "requests": {"cpu": "200m", "memory": "512Mi"},
                "limits": {"cpu": "500m", "memory": "1Gi"},
            },
            "securityContext": _CONTAINER,
            "volumeMounts": [_mount("tmp"), {"name": "kubernetes-api", "mountPath": _API, "readOnly": True}],
        }

    def _pod(
        self, name: str, size: dict[str, Any], ports: list[dict[str, Any]], *, account: str = "ratefront"
    ) -> dict[str, Any]:
        sweeps_mount = [] if self.is_bucket else [_mount("sweeps")]
        sweeps_volume = {"name": "sweeps", "persistentVolumeClaim": {"claimName": "ratefront-sweeps"}}
        container = {
            "name": name,
            "image": self.image,
            "env": self._environment(),
            "ports": ports,
            "resources": size,
            "securityContext": _CONTAINER,
            "volumeMounts": [*sweeps_mount, dict(self.mount), _mount("tmp"), _mount("home")],
        }
        volumes = [
            *([] if self.is_bucket else [sweeps_volume]),
            dict(self.volume),
            {"name": "tmp", "emptyDir": {}},
            {"name": "home", "emptyDir": {}},
        ]
        return {"spec": {**self._common(account), "containers": [container], "volumes": volumes}}

    def _common(self, account: str) -> dict[str, Any]:
        return {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": _POD,
        }

    def _environment(self) -> list[dict[str, Any]]:
        plain = [{"name": key, "value": value} for key, value in {**_HEALTH, **self.env}.items()]
        secret: list[dict[str, Any]] = [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "ratefront-tracking", "key": key}}}
            for name, key in _CREDENTIALS.items()
        ]
        if self.is_bucket:
            of_bucket = {"name": "ratefront-storage", "optional": True}
            secret += [{"name": key, "valueFrom": {"secretKeyRef": {**of_bucket, "key": key}}} for key in _BUCKET_KEYS]
        return [*plain, *secret]


def _mount(name: str) -> dict[str, str]:
    return {"name": name, "mountPath": {"sweeps": SWEEPS, "tmp": "/tmp", "home": "/home/ratefront"}[name]}


def _api_key() -> dict[str, Any]:
    return {
        "name": "kubernetes-api",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ],
        },
    }

"""Checks documents for Kubernetes and its operators against their kind, strictly, without a cluster.

The package kubernetes-validate checks Kubernetes' own kinds. The fields of the operators' kinds and their types are
listed here, after the Go types of KubeRay 1.7 (ray-operator/apis/ray/v1), Kueue 0.19 and the Prometheus operator 0.93:
a cluster silently drops a field that it does not know, so one that is not listed is refused. No package carries
KubeRay's own schema. The pods in them are checked as Kubernetes' own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import kubernetes_validate

Document = dict[str, Any]
Schema = dict[str, Any]

KUBERNETES = "1.37.0"

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
QUANTITY: Schema = {"type": ["string", "integer"]}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
CHECKED_ELSEWHERE: Schema = {"type": "object"}
"""The schema of a pod's template, or of a part of one."""


def fields(*required: str, **known: Schema) -> Schema:
    return {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}


def each(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


_SELECTOR = fields(
    matchLabels=TEXTS,
    matchExpressions=each(
        fields("key", "operator", key=TEXT, operator=one_of("In", "NotIn", "Exists", "DoesNotExist"), values=each(TEXT))
    ),
)

_RAY_CLUSTER = fields(
    "headGroupSpec",
    authOptions=fields(mode=one_of("disabled", "token"), secretName=TEXT, enableK8sTokenAuth=FLAG),
    autoscalerOptions=fields(
        version=one_of("v1", "v2"),
        upscalingMode=one_of("Default", "Aggressive", "Conservative"),
        idleTimeoutSeconds=COUNT,
        image=TEXT,
        imagePullPolicy=one_of("Always", "IfNotPresent", "Never"),
        resources=CHECKED_ELSEWHERE,
        securityContext=CHECKED_ELSEWHERE,
        env=each(CHECKED_ELSEWHERE),
        envFrom=each(CHECKED_ELSEWHERE),
        volumeMounts=each(CHECKED_ELSEWHERE),
    ),
    enableInTreeAutoscaling=FLAG,
    gcsFaultToleranceOptions={"type": "object"},
    headGroupSpec=fields(
        "template",
        template=CHECKED_ELSEWHERE,
        rayStartParams=TEXTS,
        serviceType=one_of("ClusterIP", "NodePort", "LoadBalancer"),
        headService={"type": "object"},
        enableIngress=FLAG,
        resources=TEXTS,
        labels=TEXTS,
    ),
    headServiceAnnotations=TEXTS,
    managedBy=one_of("ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"),
    rayVersion=TEXT,
    suspend=FLAG,
    upgradeStrategy=fields(type=one_of("Recreate", "None")),
    workerGroupSpecs=each(
        fields(
            "groupName",
            "template",
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            numOfHosts=COUNT,
            idleTimeoutSeconds=COUNT,
            rayStartParams=TEXTS,
            template=CHECKED_ELSEWHERE,
            scaleStrategy={"type": "object"},
            suspend=FLAG,
            resources=TEXTS,
            labels=TEXTS,
        )
    ),
)

_RAY_JOB = fields(
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    backoffLimit=COUNT,
    clusterSelector=TEXTS,
    deletionStrategy=fields(
        "deletionRules",
        deletionRules=each(
            fields(
                "policy",
                "condition",
                policy=one_of("DeleteCluster", "DeleteWorkers", "DeleteSelf", "DeleteNone"),
                condition=fields(
                    jobStatus=one_of("SUCCEEDED", "FAILED"), jobDeploymentStatus=one_of("Failed"), ttlSeconds=COUNT
                ),
            )
        ),
    ),
    entrypoint=TEXT,
    entrypointNumCpus={"type": "number"},
    entrypointNumGpus={"type": "number"},
    entrypointResources=TEXT,
    jobId=TEXT,
    managedBy=one_of("ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"),
    metadata=TEXTS,
    rayClusterSpec=_RAY_CLUSTER,
    runtimeEnvYAML=TEXT,
    shutdownAfterJobFinishes=FLAG,
    submissionMode=one_of("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"),
    submitterConfig=fields(backoffLimit=COUNT),
    submitterPodTemplate=CHECKED_ELSEWHERE,
    suspend=FLAG,
    ttlSecondsAfterFinished=COUNT,
)

_CLUSTER_QUEUE = fields(
    cohortName=TEXT,
    namespaceSelector=_SELECTOR,
    queueingStrategy=one_of("StrictFIFO", "BestEffortFIFO"),
    stopPolicy=one_of("None", "Hold", "HoldAndDrain"),
    preemption={"type": "object"},
    resourceGroups=each(
        fields(
            "coveredResources",
            "flavors",
            coveredResources=each(TEXT),
            flavors=each(
                fields(
                    "name",
                    "resources",
                    name=TEXT,
                    resources=each(
                        fields(
                            "name",
                            "nominalQuota",
                            name=TEXT,
                            nominalQuota=QUANTITY,
                            borrowingLimit=QUANTITY,
                            lendingLimit=QUANTITY,
                        )
                    ),
                )
            ),
        )
    ),
)

_POD_MONITOR = fields(
    "selector",
    "podMetricsEndpoints",
    selector=_SELECTOR,
    namespaceSelector=fields(any=FLAG, matchNames=each(TEXT)),
    podTargetLabels=each(TEXT),
    jobLabel=TEXT,
    podMetricsEndpoints=each(
        fields(
            port=TEXT,
            path=TEXT,
            scheme=TEXT,
            interval=TEXT,
            scrapeTimeout=TEXT,
            relabelings=each(
                fields(
                    sourceLabels=each(TEXT),
                    targetLabel=TEXT,
                    separator=TEXT,
                    regex=TEXT,
                    replacement=TEXT,
                    action=TEXT,
                )
            ),
        )
    ),
)

_PROMETHEUS_RULE = fields(
    "groups",
    groups=each(
        fields(
            "name",
            "rules",
            name=TEXT,
            interval=TEXT,
            rules=each(
                {"required": ["expr"]}
                | {
                    key: value
                    for key, value in fields(
                        alert=TEXT, record=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": TEXT}
                    ).items()
                    if key != "required"
                }
            ),
        )
    ),
)

SPECIFICATIONS: Mapping[tuple[str, str], Schema] = {
    ("ray.io/v1", "RayCluster"): _RAY_CLUSTER,
    ("ray.io/v1", "RayJob"): _RAY_JOB,
    ("kueue.x-k8s.io/v1beta2", "ClusterQueue"): _CLUSTER_QUEUE,
    ("kueue.x-k8s.io/v1beta2", "LocalQueue"): fields("clusterQueue", clusterQueue=TEXT, stopPolicy=TEXT),
    ("kueue.x-k8s.io/v1beta2", "ResourceFlavor"): fields(
        nodeLabels=TEXTS, nodeTaints={"type": "array"}, tolerations={"type": "array"}, topologyName=TEXT
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): _POD_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): _PROMETHEUS_RULE,
}
"""The schema of ``spec`` of the operators' kinds, keyed by apiVersion and kind."""


def check(document: Document) -> None:
    """Refuse a document that a cluster would refuse, or a field of which it would drop.

    Raises:
        jsonschema.ValidationError: it is refused, by either package.
    """
    kind = (document["apiVersion"], document["kind"])
    if kind not in SPECIFICATIONS:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        return
    shape = fields("apiVersion", "kind", "metadata", apiVersion=TEXT, kind=TEXT, metadata={"type": "object"})
    shape["properties"]["spec"] = SPECIFICATIONS[kind]
    jsonschema.validate(document, shape)
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": document["metadata"]}, KUBERNETES, strict=True
    )
    for _, template in pod_templates(document):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": template},
            KUBERNETES,
            strict=True,
        )


def pod_templates(document: Document) -> Iterator[tuple[str, Document]]:
    """Yield the pods that a document asks for, each with a name; an autoscaler is a container of its head."""
    specification, name = document.get("spec", {}), f"{document['kind']} {document['metadata']['name']}"
    if document["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet"):
        yield name, specification["template"]
    if document["kind"] == "RayJob":
        if "submitterPodTemplate" in specification:
            yield f"{name}: submitter", specification["submitterPodTemplate"]
        specification = specification.get("rayClusterSpec", {})
    if document["kind"] in ("RayCluster", "RayJob"):
        yield f"{name}: head", _with_autoscaler(specification)
        for group in specification.get("workerGroupSpecs", []):
            yield f"{name}: {group['groupName']}", group["template"]


def _with_autoscaler(cluster: Document) -> Document:
    """The head's pod as KubeRay makes it, with the container that KubeRay adds; it mounts what is not mounted here."""
    template: Document = cluster["headGroupSpec"]["template"]
    if not cluster.get("enableInTreeAutoscaling"):
        return template
    pod = template["spec"]
    ours = ("resources", "securityContext", "env", "envFrom", "volumeMounts")
    options = cluster.get("autoscalerOptions", {})
    autoscaler = {key: options[key] for key in ours if key in options}
    autoscaler |= {"name": "autoscaler", "image": options.get("image", pod["containers"][0]["image"])}
    return template | {"spec": pod | {"containers": [*pod["containers"], autoscaler]}}

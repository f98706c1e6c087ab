"""infra/kubernetes/kuberay.yaml against the schemas of Kubernetes and KubeRay.

KubeRay's own schema is a megabyte, most of it the Kubernetes pod. So pods are checked against the Kubernetes schema from a
package, and the fields that KubeRay 1.5 adds (ray.io/v1) against the short schema below.
"""

import copy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[3]
KUBERAY = ROOT / "infra" / "kubernetes" / "kuberay.yaml"
KUBERNETES = "1.32"


def known(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Schema of an object with these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


TEXT, WHOLE, YES = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
GROUP = {"rayStartParams": TEXTS, "template": known({"metadata": {}, "spec": {}}, "spec"), "resources": TEXTS, "labels": TEXTS}
WORKERS = known(
    {**GROUP, "groupName": TEXT, "replicas": WHOLE, "minReplicas": WHOLE, "maxReplicas": WHOLE, "idleTimeoutSeconds": WHOLE},
    *("groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"),
)
CLUSTER = known(
    {
        "rayVersion": TEXT,
        "authOptions": known({"mode": {"enum": ["token", "disabled"]}, "secretName": TEXT}, "mode"),
        "enableInTreeAutoscaling": YES,
        "autoscalerOptions": known(
            {
                "version": {"enum": ["v1", "v2"]},
                "idleTimeoutSeconds": WHOLE,
                "upscalingMode": {"enum": ["Default", "Aggressive", "Conservative"]},
                **{name: {} for name in ("resources", "image", "imagePullPolicy", "env", "envFrom", "securityContext")},
            }
        ),
        "headGroupSpec": known({**GROUP, "serviceType": TEXT, "enableIngress": YES}, "rayStartParams", "template"),
        "workerGroupSpecs": {"type": "array", "items": WORKERS},
    },
    "headGroupSpec",
)
JOB = known(
    {
        **{name: TEXT for name in ("entrypoint", "runtimeEnvYAML", "jobId", "submissionMode", "entrypointResources")},
        **{name: WHOLE for name in ("ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit")},
        **{name: YES for name in ("shutdownAfterJobFinishes", "suspend")},
        "clusterSelector": TEXTS,
        "rayClusterSpec": CLUSTER,
    },
    "entrypoint",
)


@pytest.fixture
def manifests() -> tuple[dict[str, Any], dict[str, Any]]:
    """The RayCluster and the RayJob."""
    cluster, job = yaml.safe_load_all(KUBERAY.read_text())
    return cluster, job


def check(cluster: dict[str, Any]) -> None:
    """Validate a RayCluster and each of its pods."""
    jsonschema.validate(cluster["spec"], CLUSTER)
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": group["template"]["spec"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def containers(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    groups = (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"])
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def test_manifests_fit_the_schemas_of_kuberay_and_kubernetes(manifests: tuple[dict[str, Any], dict[str, Any]]) -> None:
    cluster, job = manifests
    assert [(m["apiVersion"], m["kind"]) for m in manifests] == [("ray.io/v1", "RayCluster"), ("ray.io/v1", "RayJob")]
    check(cluster)
    jsonschema.validate(job["spec"], JOB)
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}


@pytest.mark.parametrize("place", ["cluster", "group", "container", "probe"])
def test_unknown_field_is_rejected(manifests: tuple[dict[str, Any], dict[str, Any]], place: str) -> None:
    cluster = copy.deepcopy(manifests[0])
    container = containers(cluster)[1]
    {
        "cluster": cluster["spec"],
        "group": cluster["spec"]["workerGroupSpecs"][0],
        "container": container,
        "probe": container["livenessProbe"],
    }[place]["misspelt"] = 1
    with pytest.raises(jsonschema.ValidationError, match="misspelt"):
        check(cluster)


def test_pods_run_the_locked_ray_version_without_privileges(manifests: tuple[dict[str, Any], dict[str, Any]]) -> None:
    cluster = manifests[0]
    assert f"ray=={cluster['spec']['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for container in containers(cluster):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["envFrom"] == [{"secretRef": {"name": "facegan-storage"}}]
        assert container["startupProbe"] and container["livenessProbe"] and container["resources"]["limits"]["memory"]
    (gpu,) = cluster["spec"]["workerGroupSpecs"]
    assert gpu["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1

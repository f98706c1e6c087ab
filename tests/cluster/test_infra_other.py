"""infra/ beside AWS: own machines against Ray's schema, the image against a linter, the manifests against Kubernetes.

KubeRay's own schema is a megabyte, most of it Kubernetes' pod: so pods are checked against Kubernetes' schema from a package,
and what KubeRay adds (ray.io/v1 of KubeRay 1.5) against the short one below.
"""

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parent.parent.parent
ONPREM, KUBERAY, IMAGE = (ROOT / "infra" / name for name in ("onprem.yaml", "kuberay.yaml", "Dockerfile"))
KUBERNETES = "1.32"
SECRET = re.compile(r"(SECRET_ACCESS_KEY|PASSWORD|AUTH_TOKEN|ACCESS_KEY_ID)\s*[=:]\s*[^\s,}]")


def known(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """The schema of an object with these properties and no other."""
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
def onprem() -> dict[str, Any]:
    return dict(yaml.safe_load(ONPREM.read_text()))


@pytest.fixture
def manifests() -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster and the job."""
    cluster, job = yaml.safe_load_all(KUBERAY.read_text())
    return cluster, job


def check(cluster: dict[str, Any]) -> None:
    """A RayCluster: what KubeRay adds, and each of its pods."""
    jsonschema.validate(cluster["spec"], CLUSTER)
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": group["template"]["spec"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def containers(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    groups = (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"])
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


def test_onprem_passes_rays_schema(onprem: dict[str, Any]) -> None:
    prepared = prepare_config(onprem)
    validate_config(prepared)
    assert prepared["available_node_types"]["local.cluster.node"]["min_workers"] == 2


def test_the_head_on_own_machines_trains_nothing_and_the_first_autoscaler_is_taken(onprem: dict[str, Any]) -> None:
    start = onprem["head_start_ray_commands"][-1]
    assert "--num-cpus=0" in start and "--num-gpus=0" in start
    # `ray up` sets it to 1 before the command; what the command sets itself comes later.
    assert "RAY_enable_autoscaler_v2=0" in start[: start.index("ray start")]


def test_all_code_travels_to_own_machines(onprem: dict[str, Any], tmp_path: Path) -> None:
    excluded = [f"--exclude={pattern}" for pattern in onprem["rsync_exclude"]]
    if subprocess.run(["which", "rsync"], capture_output=True).returncode:
        pytest.skip("not installed: rsync")
    for name in ("facegan/data/clip.py", "data/big", "studies/big", ".venv/bin/python", "jobs/ablate.py"):
        (tmp_path / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone" / name).touch()
    subprocess.run(["rsync", "-a", *excluded, f"{tmp_path}/clone/", f"{tmp_path}/node/"], check=True)
    arrived = {path.relative_to(tmp_path / "node").as_posix() for path in (tmp_path / "node").rglob("*") if path.is_file()}
    assert arrived == {"facegan/data/clip.py", "jobs/ablate.py"}


@pytest.mark.parametrize("file", [ONPREM, KUBERAY, IMAGE], ids=lambda file: file.name)
def test_no_secret_is_written_in(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith("#")]
    assert [line for line in lines if SECRET.search(line)] == []


def test_a_written_secret_would_be_found() -> None:
    assert SECRET.search("AWS_SECRET_ACCESS_KEY=abc") and SECRET.search("- {name: x, RAY_AUTH_TOKEN: abc}")


def test_the_manifests_fit_kuberay_and_kubernetes(manifests: tuple[dict[str, Any], dict[str, Any]]) -> None:
    cluster, job = manifests
    assert [(m["apiVersion"], m["kind"]) for m in manifests] == [("ray.io/v1", "RayCluster"), ("ray.io/v1", "RayJob")]
    check(cluster)
    jsonschema.validate(job["spec"], JOB)
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}


@pytest.mark.parametrize("place", ["cluster", "group", "container", "probe"])
def test_a_misspelt_field_is_found(manifests: tuple[dict[str, Any], dict[str, Any]], place: str) -> None:
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


def test_pods_run_the_locked_ray_as_nobody_special(manifests: tuple[dict[str, Any], dict[str, Any]]) -> None:
    cluster = manifests[0]
    assert f"ray=={cluster['spec']['rayVersion']}" in (ROOT / "constraints.txt").read_text().splitlines()
    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for container in containers(cluster):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["envFrom"] == [{"secretRef": {"name": "facegan-storage"}}]
        assert container["startupProbe"] and container["livenessProbe"] and container["resources"]["limits"]["memory"]
    (gpu,) = cluster["spec"]["workerGroupSpecs"]
    assert gpu["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_the_image_passes_the_linter() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert linter, "not installed: make setup"
    said = subprocess.run([linter, IMAGE], capture_output=True, text=True)
    assert said.returncode == 0, said.stdout


def test_the_image_is_pinned_and_runs_as_a_user() -> None:
    text = IMAGE.read_text()
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert text.count("--constraint constraints.txt") == 2
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["1000"]

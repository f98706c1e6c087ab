"""Run setup, `ray up` and teardown against a mocked EC2, without a network.

Ray would connect to the public addresses that the mock invents.

    unshare --net python -m tests.infra.aws.ray_up_on_mock FILE

It writes to FILE, as JSON, the requests to EC2 and what remains after teardown.
"""

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.infra.aws.images import make_images

ROOT = Path(__file__).parents[3]
OWNER = "203.0.113.7/32"


def main(out: Path) -> None:
    """Run `ray up` without and with setup, start workers as the autoscaler does, run teardown; write the record to `out`."""
    only_loopback()
    recording = out.with_suffix(".recording")
    os.environ |= {"MOTO_ENABLE_RECORDING": "1", "MOTO_RECORDER_FILEPATH": str(recording)}
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": str(ROOT),
        # Seconds that Ray tries to reach a node by SSH; the default is 15 minutes.
        "AUTOSCALER_NODE_START_WAIT_S": "2",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    make_images("us-east-1")
    found: dict[str, Any] = {"before_setup": ray_up()}
    found["groups_before_setup"] = groups()
    found["setup"] = python("-m", "infra.aws.setup", "--ssh_from", OWNER)
    found["up"] = ray_up()
    launch_workers()
    found["requests"] = run_instances(recording)
    found["groups"] = groups()
    found["teardown"] = python("-m", "infra.aws.teardown")
    found["remaining"] = instances_and_volumes()
    out.write_text(json.dumps(found, default=str))


def only_loopback() -> None:
    """Bring loopback up; exit if there is any other network device or route."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    routes = subprocess.run(["ip", "route", "show"], capture_output=True, text=True, check=True).stdout
    devices = [name for _, name in socket.if_nameindex()]
    if routes.strip() or devices != ["lo"]:
        sys.exit(f"there is a network here ({devices}, {routes!r}): run this under `unshare --net`")


def python(*arguments: str) -> dict[str, Any]:
    return command([sys.executable, *arguments])


def ray_up() -> dict[str, Any]:
    ray = Path(sys.executable).parent / "ray"
    return command([str(ray), "up", "infra/cluster.yaml", "--yes", "--no-config-cache"])


def command(words: list[str]) -> dict[str, Any]:
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return {"returncode": run.returncode, "output": run.stdout + run.stderr}


def launch_workers() -> None:
    """Start a node of each worker type with the code of Ray's autoscaler, from the configuration that `ray up` gives it."""
    import yaml
    from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
    from ray.autoscaler._private.event_summarizer import EventSummarizer
    from ray.autoscaler._private.node_launcher import BaseNodeLauncher
    from ray.autoscaler._private.node_provider_availability_tracker import NodeProviderAvailabilityTracker
    from ray.autoscaler._private.util import ConcurrentCounter, prepare_config

    config = prepare_config(yaml.safe_load((ROOT / "infra" / "cluster.yaml").read_text()))
    config = AWSNodeProvider.bootstrap_config(AWSNodeProvider.fillout_available_node_types_resources(config))
    provider = AWSNodeProvider(config["provider"], config["cluster_name"])
    launcher = BaseNodeLauncher(
        provider=provider,
        pending=ConcurrentCounter(),
        event_summarizer=EventSummarizer(),
        node_provider_availability_tracker=NodeProviderAvailabilityTracker(),
    )
    for kind in config["available_node_types"]:
        if kind != config["head_node_type"]:
            launcher._launch_node(config, 1, kind)


def run_instances(recording: Path) -> list[dict[str, str]]:
    """Parameters of each RunInstances request, flat: BlockDeviceMapping.1.Ebs.Encrypted belongs to the first disk."""
    calls = [json.loads(line) for line in recording.read_text().splitlines()]
    bodies = [dict(parse_qsl(base64.b64decode(call["body"] or "").decode(errors="replace"))) for call in calls]
    return [body for body in bodies if body.get("Action") == "RunInstances"]


def groups() -> list[dict[str, Any]]:
    import boto3

    found: list[dict[str, Any]] = boto3.client("ec2").describe_security_groups()["SecurityGroups"]
    return found


def instances_and_volumes() -> dict[str, list[str]]:
    import boto3

    ec2 = boto3.client("ec2")
    nodes = [n for r in ec2.describe_instances()["Reservations"] for n in r["Instances"]]
    return {
        "nodes": [n["InstanceId"] for n in nodes if n["State"]["Name"] != "terminated"],
        "ended": [n["InstanceId"] for n in nodes if n["State"]["Name"] == "terminated"],
        "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

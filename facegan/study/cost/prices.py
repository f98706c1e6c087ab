"""List prices of the nodes of infra/cluster.yaml, and what interruptions of spot nodes add.

On-demand prices were written down from memory, not looked up at AWS. Spot prices change daily and are taken as a share of them.
Check both before you rely on them (aws.amazon.com/ec2/pricing), and give your own with --usd_per_hour.
"""

from dataclasses import dataclass

DATE, REGION = "November 2026", "us-east-1"
_SPOT_SHARE = 0.45
"""Of the on-demand price; GPU nodes are usually at 30 to 60 %."""
_DISK_AND_ADDRESS = 0.016
"""Dollars an hour: 100 GB gp3 at $0.08 a GB-month, and a public address at $0.005 an hour."""
S3_USD_PER_GB_MONTH = 0.023

INTERRUPTIONS_PER_HOUR = 0.05
"""ASSUMED: a spot node is taken back every 20 hours."""
RESTART_SECONDS = 600.0
"""ASSUMED: until another node is there, with its packages."""


@dataclass(frozen=True, slots=True)
class NodePrice:
    """A type of worker nodes."""

    name: str
    """In infra/cluster.yaml, or what the user's own nodes are called."""
    instance: str
    gpu: str
    """Name of its GPU, as CUDA has it; '' without one."""
    cpus: int
    gpus: int
    most: int
    """Nodes of this type at a time."""
    usd_per_hour: float
    """Of one node, with its disk and public address."""
    spot: bool


HEAD_USD_PER_HOUR = 0.1008 + 0.012
"""m7i.large with 60 GB gp3 and a public address."""

NODES = (
    NodePrice("gpu_spot", "g6.2xlarge", "L4", 8, 1, 4, 0.9776 * _SPOT_SHARE + _DISK_AND_ADDRESS, True),
    NodePrice("gpu_a10g_spot", "g5.2xlarge", "A10G", 8, 1, 4, 1.212 * _SPOT_SHARE + _DISK_AND_ADDRESS, True),
    NodePrice("gpu_on_demand", "g6.2xlarge", "L4", 8, 1, 2, 0.9776 + _DISK_AND_ADDRESS, False),
)


def price_of_gpu(device: str) -> NodePrice | None:
    """The on-demand price of a node with this GPU, else its spot price; None for a device without a price."""
    found = [node for node in NODES if node.gpu and node.gpu in device.split()]
    return next((node for node in found if not node.spot), found[0] if found else None)


def share_lost(checkpoint_seconds: float, interruptions_per_hour: float) -> float:
    """The share by which interruptions lengthen a study on spot nodes.

    Each costs half of the time between two checkpoints, which is trained again, and the wait for another node.
    """
    return interruptions_per_hour * (checkpoint_seconds / 2 + RESTART_SECONDS) / 3600

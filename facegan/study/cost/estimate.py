"""What a planned study will cost: hours, storage and dollars, with the work of each arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from facegan.config import Config
from facegan.study.cost.prices import HEAD_USD_PER_HOUR, NODES, NodePrice, share_lost
from facegan.study.cost.rates import Rates
from facegan.study.cost.schedule import WorkOf, images_of, whole_runs
from facegan.study.cost.storage import StorageEstimate, storage_of
from facegan.study.design.plan import WARM_UP, Plan, Trial


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes to run a study on."""

    name: str
    at_once: int
    """Trials at a time."""
    nodes: int
    usd_per_hour: float | None
    """Of all of it, the head too; None if it has no price."""
    spot: bool = False
    device: str = ""
    """What its trials train on: 'cpu' or the name of a GPU."""


@dataclass(frozen=True, slots=True)
class ArmCost:
    """The work of an arm."""

    arm: str
    label: str
    trials: int
    images: int | None
    """Of all its trials; None where seconds are the budget and its rate is not known."""
    gflop_per_image: float | None
    images_per_second: float | None
    """Of one trial; None if it is not known."""
    hours: float | None
    """Of all its trials, one after the other."""


@dataclass(frozen=True, slots=True)
class ClusterCost:
    """A study on a cluster."""

    cluster: Cluster
    wall_hours: float | None
    """None if no rate on this device is known."""
    usd: float | None
    """With what interruptions cost."""
    usd_of_interruptions: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a study."""

    trials: int
    warm_ups: int
    order: tuple[str, ...]
    """Arm and seed of each trial, in the order in which they start."""
    arms: tuple[ArmCost, ...]
    images: int | None
    """Of all trials and warm-ups; None where seconds are the budget and a rate is not known."""
    rates: Rates | None
    """None if nothing is known."""
    trial_hours: float | None
    """Of all trials one after the other, with their fixed part."""
    clusters: tuple[ClusterCost, ...]
    """The present one first."""
    interruptions_per_hour: float
    """Of a spot node."""
    storage: StorageEstimate


def estimate_cost(
    plan: Plan,
    todo: Sequence[Trial],
    gflop: dict[str, float],
    rates: Rates | None,
    clusters: Sequence[Cluster],
    *,
    interruptions_per_hour: float,
    remote: bool = False,
    work_of: WorkOf = whole_runs,
) -> Estimate:
    """The cost of those trials of a plan that are still to be run, in the plan's order, with the warm-ups of their seeds.

    `gflop` is the compute of an image by arm, by which rates that are missing are filled in; it may be empty. `work_of` says
    what the trials take if not all of them train to their end; images and hours of the arms are those on the first cluster.
    """
    rates = rates.scaled(gflop) if rates else None
    warm_ups = [run for seed in dict.fromkeys(t.seed for t in todo) if (run := plan.warm_up(seed))]
    runs, work = [*warm_ups, *todo], work_of(plan, todo, warm_ups, rates, clusters[0].at_once)
    labels = {arm.name: arm.label for arm in plan.arms} | {WARM_UP: "warm-up"}
    arms = []
    for arm in dict.fromkeys(run.arm for run in runs):
        images, seconds = work.images[arm], work.seconds[arm]
        arms.append(
            ArmCost(
                arm,
                labels[arm],
                sum(run.arm == arm for run in runs),
                None if images is None else round(images),
                gflop.get(arm),
                rates.images_per_second.get(arm) if rates else None,
                None if seconds is None else seconds / 3600,
            )
        )
    hours = [arm.hours for arm in arms if arm.hours is not None]
    return Estimate(
        trials=len(todo),
        warm_ups=len(warm_ups),
        order=tuple(f"{trial.arm} {trial.seed}" for trial in todo),
        arms=tuple(arms),
        images=None if any(arm.images is None for arm in arms) else sum(arm.images or 0 for arm in arms),
        rates=rates,
        trial_hours=sum(hours) if rates and len(hours) == len(arms) else None,
        clusters=tuple(_on_cluster(plan, todo, warm_ups, rates, c, interruptions_per_hour, work_of) for c in clusters),
        interruptions_per_hour=interruptions_per_hour,
        storage=storage_of(plan, [(run, images_of(plan, run, rates) or 0) for run in runs], clusters[0].at_once, remote),
    )


def _on_cluster(
    plan: Plan,
    todo: Sequence[Trial],
    warm_ups: Sequence[Trial],
    rates: Rates | None,
    cluster: Cluster,
    interruptions_per_hour: float,
    work_of: WorkOf,
) -> ClusterCost:
    # A rate that the user gave, or one that was measured where the device has no name, holds for every GPU.
    fits = rates is not None and (not rates.device or not cluster.device or _same_device(rates.device, cluster.device))
    wall = work_of(plan, todo, warm_ups, rates, cluster.at_once).wall_seconds if fits else None
    if wall is None or rates is None or not todo:
        return ClusterCost(cluster, 0.0 if not todo else None, None, None)
    seconds, lost = wall + rates.fixed.study, 0.0
    if cluster.spot:
        speeds = [rate for run in todo if (rate := rates.images_per_second.get(run.arm))]
        between = plan.base.checkpoint_every / mean(speeds) if speeds else 0.0
        lost = seconds * share_lost(between, interruptions_per_hour)
    hours, price = (seconds + lost) / 3600, cluster.usd_per_hour
    if price is None:
        return ClusterCost(cluster, hours, None, None)
    return ClusterCost(cluster, hours, hours * price, lost / 3600 * price)


def _same_device(measured: str, there: str) -> bool:
    return measured == there or there in measured.split()


def priced_nodes(trials_on_gpu: int, cpus_per_trial: float, gpus_per_trial: float | None, trials: int) -> list[Cluster]:
    """The node types of infra/cluster.yaml, as many of each as it allows and the trials can use.

    `trials_on_gpu` is how many trials share a GPU.
    """
    found = []
    for node in NODES:
        of_gpu = int(node.gpus / gpus_per_trial) if gpus_per_trial else trials_on_gpu
        each = max(1, min(int(node.cpus / cpus_per_trial), of_gpu))
        nodes = max(1, min(node.most, -(-trials // each)))
        found.append(Cluster(f"{nodes} x {node.name}", each * nodes, nodes, _usd(node, nodes), node.spot, node.gpu))
    return found


def _usd(node: NodePrice, nodes: int) -> float:
    return HEAD_USD_PER_HOUR + nodes * node.usd_per_hour


def arm_configs(plan: Plan) -> dict[str, Config]:
    """A configuration for each arm, and for the warm-ups if there are any, as they are trained."""
    found = {arm.name: arm.apply(plan.base) for arm in plan.arms}
    return {**found, WARM_UP: plan.base.of_warm_up()} if plan.base.warm_up else found

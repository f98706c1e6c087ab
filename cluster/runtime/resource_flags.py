"""The flags that say what one trial takes of the cluster. This module imports no Ray, so that flags are checked at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from facegan.errors import UserError


@dataclass(frozen=True, slots=True)
class TrialResources:
    """Resources of one trial. The methods take the cluster's totals as `ray.cluster_resources()` returns them."""

    cpus_per_trial: float = 1
    """CPUs of each trial."""
    gpus_per_trial: float | None = None
    """GPUs of each trial; below 1, trials share a GPU. By default a short measurement on one GPU chooses the number of trials
    per GPU."""
    gpus: int = 0
    """GPUs to request from an autoscaling cluster and to wait for before the study starts; 0: use the GPUs that exist."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cpus_per_trial) and self.cpus_per_trial > 0):
            raise UserError(f"--cpus_per_trial is {self.cpus_per_trial}: a number above 0")
        if self.gpus_per_trial is not None and not (math.isfinite(self.gpus_per_trial) and self.gpus_per_trial >= 0):
            raise UserError(f"--gpus_per_trial is {self.gpus_per_trial}: a number of at least 0, below 1 to share a GPU")
        if self.gpus < 0:
            raise UserError(f"--gpus is {self.gpus}: at least 0")

    def resources(self, cluster: Mapping[str, float]) -> dict[str, float]:
        """CPUs and GPUs to request from Ray; one GPU by default if the cluster has any."""
        gpus = min(1.0, cluster.get("GPU", 0)) if self.gpus_per_trial is None else self.gpus_per_trial
        return {"cpu": self.cpus_per_trial, "gpu": gpus}

    def at_once(self, cluster: Mapping[str, float]) -> int:
        """How many trials the cluster can run at the same time. Raises UserError if it cannot run one."""
        asked = {name.upper(): amount for name, amount in self.resources(cluster).items() if amount}
        fits = min(int(cluster.get(name, 0) / amount) for name, amount in asked.items())
        if fits < 1:
            wanted = " and ".join(f"{amount:g} {name}" for name, amount in asked.items())
            there = " and ".join(f"{cluster.get(name, 0):g} {name}" for name in asked)
            raise UserError(
                f"a trial takes {wanted}, the cluster has {there}: lower --cpus_per_trial or --gpus_per_trial, "
                "or request GPUs from an autoscaling cluster with --gpus"
            )
        return fits

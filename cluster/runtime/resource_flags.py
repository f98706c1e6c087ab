"""The flags that say what one trial takes of the cluster. Ray is imported late, so that wrong flags are refused at once."""

import math
from dataclasses import dataclass

from facegan.errors import UserError


@dataclass(frozen=True, slots=True)
class TrialResources:
    """CPUs and GPUs of one trial."""

    cpus_per_trial: float = 1
    """CPUs of a trial."""
    gpus_per_trial: float | None = None
    """GPUs of a trial, below 1 to share one; by default a measurement decides how many trials share a GPU."""
    gpus: int = 0
    """GPUs to request from an autoscaling cluster. The study starts with the first; 0: use those that exist."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cpus_per_trial) and self.cpus_per_trial > 0):
            raise UserError(f"--cpus_per_trial is {self.cpus_per_trial}: a number above 0")
        if self.gpus_per_trial is not None and not (math.isfinite(self.gpus_per_trial) and self.gpus_per_trial >= 0):
            raise UserError(f"--gpus_per_trial is {self.gpus_per_trial}: a number of at least 0, below 1 to share a GPU")
        if self.gpus < 0:
            raise UserError(f"--gpus is {self.gpus}: at least 0")

    def resources(self) -> dict[str, float]:
        """Return the request to Ray; a whole GPU if the cluster has any and the user gave no number."""
        from cluster.runtime.start import total

        gpus = min(1.0, total("GPU")) if self.gpus_per_trial is None else self.gpus_per_trial
        return {"cpu": self.cpus_per_trial, "gpu": gpus}

    def at_once(self) -> int:
        """Return how many trials to run at a time; UserError if the cluster has no room for even one."""
        if self._room() < 1:
            asked = self._asked()
            from cluster.runtime.start import total

            wanted = " and ".join(f"{amount:g} {name}" for name, amount in asked.items())
            available = " and ".join(f"{total(name):g} {name}" for name in asked)
            raise UserError(
                f"a trial takes {wanted}, the cluster has {available}: lower --cpus_per_trial or --gpus_per_trial, "
                "or request GPUs of an autoscaling cluster with --gpus"
            )
        return self.at_most()

    def at_most(self) -> int:
        """Return how many trials run at a time on the cluster as it is now, or with the requested GPUs; at least 1.

        The trials that wait for a requested GPU are what the autoscaler goes by, once the study has started.
        """
        gpus_each = self._asked().get("GPU", 0)
        requested = int(self.gpus / gpus_each) if gpus_each else 0
        return max(self._room(), requested, 1)

    def _asked(self) -> dict[str, float]:
        return {name.upper(): amount for name, amount in self.resources().items() if amount}

    def _room(self) -> int:
        from cluster.runtime.start import total

        return min(int(total(name) / amount) for name, amount in self._asked().items())

"""Resources of one trial: as the user asked, or as a measurement on one GPU of the cluster found best."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import ray

from cluster.runtime.device import assigned_device
from cluster.runtime.ray_results import result_of
from cluster.runtime.start import total
from facegan.config import Config
from facegan.errors import UserError
from facegan.files import read_json, write_json
from facegan.packing import Packing, best_packing, measure_packing

_FILE = "packing.json"
_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TrialResources:
    """CPUs and GPUs of one trial."""

    cpus_per_trial: float = 1
    """CPUs of a trial."""
    gpus_per_trial: float | None = None
    """GPUs of a trial, below 1 to share one; by default a measurement decides how many trials share a GPU."""
    gpus: int = 0
    """GPUs to request from an autoscaling cluster and to wait for before the study starts; 0: use those that exist."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cpus_per_trial) and self.cpus_per_trial > 0):
            raise UserError(f"--cpus_per_trial is {self.cpus_per_trial}: a number above 0")
        if self.gpus_per_trial is not None and not (math.isfinite(self.gpus_per_trial) and self.gpus_per_trial >= 0):
            raise UserError(f"--gpus_per_trial is {self.gpus_per_trial}: a number of at least 0, below 1 to share a GPU")
        if self.gpus < 0:
            raise UserError(f"--gpus is {self.gpus}: at least 0")

    def resources(self) -> dict[str, float]:
        """Return the request to Ray; a whole GPU if the cluster has any and the user gave no number."""
        gpus = min(1.0, total("GPU")) if self.gpus_per_trial is None else self.gpus_per_trial
        return {"cpu": self.cpus_per_trial, "gpu": gpus}

    def at_once(self) -> int:
        """Return how many trials the cluster runs at a time; UserError if not even one."""
        asked = {name.upper(): amount for name, amount in self.resources().items() if amount}
        fits = min(int(total(name) / amount) for name, amount in asked.items())
        if fits < 1:
            wanted = " and ".join(f"{amount:g} {name}" for name, amount in asked.items())
            available = " and ".join(f"{total(name):g} {name}" for name in asked)
            raise UserError(
                f"a trial takes {wanted}, the cluster has {available}: lower --cpus_per_trial or --gpus_per_trial, "
                "or request GPUs of an autoscaling cluster with --gpus"
            )
        return fits


def choose_trial_resources(asked: TrialResources, config: Config, study: Path) -> TrialResources:
    """Return what the user asked for; without --gpus_per_trial, with as many trials on a GPU as a measurement finds best.

    The measurement is made once for a study and saved in its folder.
    """
    gpus = total("GPU")
    if asked.gpus_per_trial is not None or not gpus:
        return asked
    # Each trial needs its CPUs: more trials than this on a GPU would never run at once.
    counts = tuple(n for n in _COUNTS if n * asked.cpus_per_trial <= total("CPU") / gpus) or (1,)
    best = _saved_best(study) or _measure_and_save(config, study, counts, device="cuda")
    return replace(asked, gpus_per_trial=1 / best.trials)


def _saved_best(study: Path) -> Packing | None:
    found = read_json(study / _FILE)
    return best_packing([Packing(**row) for row in found]) if found else None


def _measure(config: Config, device: str, counts: tuple[int, ...]) -> list[Packing]:
    """The Ray task of the measurement."""
    if device == "cuda":
        assigned_device()
    return measure_packing(config, device, counts, _SECONDS)


def _measure_and_save(config: Config, study: Path, counts: tuple[int, ...], device: str) -> Packing:
    print(f"packing  measuring {', '.join(map(str, counts))} trials on one GPU", flush=True)
    task = ray.remote(num_cpus=1, num_gpus=1 if device == "cuda" else 0)(_measure)
    measured = result_of(task.remote(config, device, counts))
    if measured[0].error:
        raise UserError(
            f"one trial alone does not run on a GPU ({measured[0].error}): lower optim.batch, or give --gpus_per_trial"
        )
    write_json(study / _FILE, [asdict(row) for row in measured])
    best = best_packing(measured)
    print(
        f"packing  {best.trials} trials a GPU: {best.images_per_second:.0f} images/s together, "
        f"{measured[0].images_per_second:.0f} alone" + (f" ({measured[-1].error})" if measured[-1].error else ""),
        flush=True,
    )
    return best

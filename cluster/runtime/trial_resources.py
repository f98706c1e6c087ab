"""What one trial takes of the cluster: as the user said, or as a probe on one of its GPUs measured to be best."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import ray

from cluster.runtime.device import assigned_device
from cluster.runtime.ray_results import answer_of
from cluster.runtime.start import total
from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.packing import Packing, best_packing, measure_packing
from facegan.records import read_record

_FILE = "packing.json"
_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class TrialResources:
    """What one trial takes of the cluster."""

    cpus_per_trial: float = 1
    """CPUs that a trial takes."""
    gpus_per_trial: float | None = None
    """GPUs that a trial takes, below 1 to share one; by default as many share one as a probe measures to be best."""
    gpus: int = 0
    """GPUs to ask for and wait for before the study starts, where the cluster grows by itself; 0: what is there."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cpus_per_trial) and self.cpus_per_trial > 0):
            raise UserError(f"--cpus_per_trial is {self.cpus_per_trial}: a number above 0")
        if self.gpus_per_trial is not None and not (math.isfinite(self.gpus_per_trial) and self.gpus_per_trial >= 0):
            raise UserError(f"--gpus_per_trial is {self.gpus_per_trial}: a number of at least 0, below 1 to share a GPU")
        if self.gpus < 0:
            raise UserError(f"--gpus is {self.gpus}: at least 0")

    def resources(self) -> dict[str, float]:
        """What Ray is asked for; a whole GPU where the cluster has any and nothing else was said."""
        gpus = min(1.0, total("GPU")) if self.gpus_per_trial is None else self.gpus_per_trial
        return {"cpu": self.cpus_per_trial, "gpu": gpus}

    def at_once(self) -> int:
        """How many trials the cluster holds at a time; a UserError where it holds none."""
        asked = {name.upper(): amount for name, amount in self.resources().items() if amount}
        fits = min(int(total(name) / amount) for name, amount in asked.items())
        if fits < 1:
            wanted = " and ".join(f"{amount:g} {name}" for name, amount in asked.items())
            there = " and ".join(f"{total(name):g} {name}" for name in asked)
            raise UserError(
                f"a trial takes {wanted}, the cluster has {there}: lower --cpus_per_trial or --gpus_per_trial, "
                "or ask a cluster that grows by itself with --gpus"
            )
        return fits


def choose_trial_resources(share: TrialResources, config: Config, study: Path) -> TrialResources:
    """The share as it was asked for, or with as many trials to a GPU as the probe found best; it is kept in the study."""
    gpus = total("GPU")
    if share.gpus_per_trial is not None or not gpus:
        return share
    # More trials than the CPUs beside a GPU can feed would never run at once.
    counts = tuple(n for n in _COUNTS if n * share.cpus_per_trial <= total("CPU") / gpus) or (1,)
    best = _kept(study) or _probe(config, study, counts, device="cuda")
    return replace(share, gpus_per_trial=1 / best.trials)


def _kept(study: Path) -> Packing | None:
    found = read_record(list[Packing], study / _FILE, "remove it, and it is measured again")
    return best_packing(found) if found else None


def _measure(config: Config, device: str, counts: tuple[int, ...]) -> list[Packing]:
    if device == "cuda":
        assigned_device()
    return measure_packing(config, device, counts, _SECONDS)


def _probe(config: Config, study: Path, counts: tuple[int, ...], device: str) -> Packing:
    print(f"packing  measuring {', '.join(map(str, counts))} trials on one GPU", flush=True)
    task = ray.remote(num_cpus=1, num_gpus=1 if device == "cuda" else 0)(_measure)
    measured = answer_of(task.remote(config, device, counts))
    if measured[0].error:
        raise UserError(
            f"one trial alone does not run on a GPU ({measured[0].error}): lower optim.batch, or say --gpus_per_trial"
        )
    write_json(study / _FILE, measured)
    best = best_packing(measured)
    print(
        f"packing  {best.trials} trials a GPU: {best.images_per_second:.0f} images/s together, "
        f"{measured[0].images_per_second:.0f} alone" + (f" ({measured[-1].error})" if measured[-1].error else ""),
        flush=True,
    )
    return best

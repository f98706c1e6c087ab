"""What one trial takes of the cluster: as the user said, or as a probe on one of its GPUs measured to be best."""

from dataclasses import asdict, replace
from pathlib import Path

import ray

from cluster.runtime.device import assigned_device
from cluster.runtime.ray_results import answer_of
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.start import total
from facegan.config import Config
from facegan.errors import UserError
from facegan.files import read_json, write_json
from facegan.packing import Packing, best_packing, measure_packing

_FILE = "packing.json"
_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
_SECONDS = 5.0


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
    found = read_json(study / _FILE)
    return best_packing([Packing(**row) for row in found]) if found else None


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
    write_json(study / _FILE, [asdict(row) for row in measured])
    best = best_packing(measured)
    print(
        f"packing  {best.trials} trials a GPU: {best.images_per_second:.0f} images/s together, "
        f"{measured[0].images_per_second:.0f} alone" + (f" ({measured[-1].error})" if measured[-1].error else ""),
        flush=True,
    )
    return best

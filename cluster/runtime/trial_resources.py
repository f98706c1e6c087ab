"""Resources of one trial: as the user asked, or as a measurement on one GPU of the cluster found best."""

from dataclasses import replace
from pathlib import Path

import ray

from cluster.runtime.device import assigned_device
from cluster.runtime.ray_results import result_of
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.start import total
from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import read_record
from facegan.training.packing import Packing, best_packing, measure_packing

_FILE = "packing.json"
_COUNTS = (1, 2, 3, 4, 6, 8, 12, 16)
_SECONDS = 5.0


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
    found = read_record(list[Packing], study / _FILE, "remove it, and it is measured again")
    return best_packing(found) if found else None


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
    write_json(study / _FILE, measured)
    best = best_packing(measured)
    print(
        f"packing  {best.trials} trials a GPU: {best.images_per_second:.0f} images/s together, "
        f"{measured[0].images_per_second:.0f} alone" + (f" ({measured[-1].error})" if measured[-1].error else ""),
        flush=True,
    )
    return best

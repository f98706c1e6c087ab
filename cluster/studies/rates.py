"""The speeds of the arms of a study: given, from a study, from the last probe, or measured now on the cluster."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cluster.runtime.resource_flags import TrialResources
from cluster.storage.uri import storage_uri
from cluster.studies.cost_flags import CostFlags
from cluster.studies.study_store import StudyStore
from facegan.cache import cache_folder
from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import read_record
from facegan.report.formatting import counted
from facegan.study.cost.rates import Rates, cost_of, rates_of_study
from facegan.study.folder.study_folder import PLAN, read_plan

PROBE_SECONDS = 30.0
_ALL_ARMS_SECONDS, _LEAST_SECONDS = 120.0, 5.0
_ONE = "one arm"
LARGEST_CPU_GFLOP = 10.0
"""Per image. Above it a study is not for a machine without a GPU, and its speed there is not measured unless asked for."""


def known_rates(flags: CostFlags, configs: Mapping[str, Config], study: Path | None) -> Rates | None:
    """The rates that need no measurement: of --rates_from, of the study itself, or of the last probe of these configurations.

    Raises UserError if --rates_from names a study that trained none of the arms.
    """
    if flags.rates_from:
        store = StudyStore(storage_uri("--rates_from", flags.rates_from))
        store.pull()
        plan = read_plan(store.folder, "--rates_from", flags.rates_from)
        found = rates_of_study(plan, store.folder, configs)
        if found is None:
            raise UserError(
                f"--rates_from is {flags.rates_from!r}: it trained no arm of this configuration; leave it out to measure"
            )
        return found
    if study is not None and (study / PLAN).exists():
        found = rates_of_study(read_plan(study), study, configs)
        if found is not None:
            return found
    return _saved_rates(configs)


def save_rates(configs: Mapping[str, Config], rates: Rates) -> None:
    """Keep the result of a probe on this machine, for the study that may follow and for others whose images cost the same."""
    for arm, rate in rates.images_per_second.items():
        write_json(_file(configs[arm]), replace(rates, images_per_second={_ONE: rate}))


def _saved_rates(configs: Mapping[str, Config]) -> Rates | None:
    found = {arm: read_record(Rates, _file(config), "remove it, and it is measured again") for arm, config in configs.items()}
    saved = {arm: rates for arm, rates in found.items() if rates is not None and _ONE in rates.images_per_second}
    if not saved or len(saved) < len(configs):
        return None
    return replace(
        next(iter(saved.values())), images_per_second={arm: rates.images_per_second[_ONE] for arm, rates in saved.items()}
    )


def _file(config: Config) -> Path:
    values = [os.environ.get("RAY_ADDRESS", ""), cost_of(config).to_dict()]
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / "rates" / f"{digest}.json"


def seconds_of_probe(asked: float | None, arms: int, at_once: int, gflop: float, on_gpu: bool) -> float:
    """Seconds for each arm; 0 for none."""
    if asked is not None:
        return asked
    if not on_gpu and gflop > LARGEST_CPU_GFLOP:
        return 0.0
    return max(_LEAST_SECONDS, min(PROBE_SECONDS, _ALL_ARMS_SECONDS * at_once / arms))


def measure_rates(configs: Mapping[str, Config], resources: TrialResources, seconds: float, *, workers: int = 1) -> Rates:
    """The images/s of a trial of each arm, with as many runs at once as the study would have. Ray is running.

    Arms are repeated until every place is taken in each round, because runs beside it slow a run down. With data-parallel
    `workers` each takes its share of the batch; what they wait for each other is left out.
    """
    import ray

    from cluster.runtime.ray_results import result_of

    at_once = workers if workers > 1 else resources.at_once()
    arms = list(configs)
    rounds = -(-len(arms) // at_once)
    order = [arms[i % len(arms)] for i in range(rounds * at_once)]
    request = resources.resources()
    task = ray.remote(num_cpus=request["cpu"], num_gpus=request["gpu"])(_measure)
    running = []
    for arm in order:
        config = configs[arm]
        share = config.with_batch(config.optim.batch // workers) if workers > 1 else config
        running.append(task.remote(share, seconds))
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    device = "cpu"
    for arm, each in zip(order, running, strict=True):
        rate, device = result_of(each)
        found[arm].append(rate * workers)
    means = {arm: sum(of) / len(of) for arm, of in found.items()}
    return Rates(means, device, f"measured for {seconds:.0f} s an arm, {at_once} at once, on batches of noise ({device})")


def probe_for_limit(flags: CostFlags, configs: Mapping[str, Config], resources: TrialResources, study: Path) -> None:
    """Measure and keep the rates that a limit goes by, unless they are known. Ray is running."""
    if not flags.limited or flags.probe_seconds == 0 or known_rates(flags, configs, study) is not None:
        return
    at_once = resources.at_once()
    seconds = seconds_of_probe(flags.probe_seconds, len(configs), at_once, 0.0, on_gpu=True)
    print(f"probe    measuring {counted(len(configs), 'arm')} for {seconds:.0f} s each, {at_once} at once", flush=True)
    save_rates(configs, measure_rates(configs, resources, seconds))


def _measure(config: Config, seconds: float) -> tuple[float, str]:
    """The Ray task: images/s, and the device's name."""
    import torch

    from cluster.runtime.device import assigned_device
    from facegan.study.cost.probe import measure_rate

    device = assigned_device()
    if device.type == "cpu":
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return measure_rate(config, device, seconds), name

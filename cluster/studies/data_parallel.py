"""One data-parallel run on Ray Train: all workers run the same training loop, and rank 0 writes the trial folder."""

from typing import Any

import ray.train
import ray.train.torch
import torch

from cluster.datasets.dataset import DataSet
from cluster.runtime.device import assigned_device
from cluster.storage.weights import stage_vgg
from cluster.studies.study_store import StudyStore
from cluster.studies.train_failures import told_failures
from facegan.clock import steady_unix_time
from facegan.study.cost.timing import write_timing
from facegan.study.design.plan import WARM_UP, Trial
from facegan.trial import TrialRun, run_trial

_RETRIES = 2
"""How often all workers start again after a failure."""


def run_data_parallel(
    trial: Trial,
    name: str,
    store: StudyStore,
    data: DataSet,
    *,
    workers: int,
    gpu: bool,
    warm_up: Trial | None = None,
    silent_seconds: int,
) -> None:
    """Train one configuration on `workers` workers, from its checkpoint if it has one, or from the end of its warm-up.

    All workers start again from the checkpoint if one fails or has not answered for `silent_seconds`; the console says so, by
    the run's `name`. The last failure is written to the trial's folder.
    """
    try:
        with told_failures(name, _RETRIES) as failures:
            ray.train.torch.TorchTrainer(
                _worker,
                train_loop_config={"trial": trial, "warm_up": warm_up and warm_up.key, "store": store, "data": data},
                scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=gpu),
                torch_config=ray.train.torch.TorchConfig(backend="nccl" if gpu else "gloo", timeout_s=silent_seconds),
                run_config=ray.train.RunConfig(
                    name="ray-train",
                    storage_path=str((store.folder / "trials" / trial.key).resolve()),
                    failure_config=ray.train.FailureConfig(max_failures=_RETRIES),
                    callbacks=[failures],
                ),
            ).fit()
    except Exception as error:  # any exception in a worker is this trial's result
        with store.trial(trial.key) as failed:
            failed.folder.write_failure(error)
            failed.publish(now=True)


def _worker(loop_config: dict[str, Any]) -> None:
    started = steady_unix_time()
    # Ray Train would fall back to the CPU if torch cannot use the GPU; assigned_device raises UserError instead.
    assigned_device()
    device = ray.train.torch.get_device()  # also chooses among several GPUs
    assert isinstance(device, torch.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    trial: Trial = loop_config["trial"]
    stage_vgg(trial.config.vgg.weights)
    with loop_config["store"].trial(trial.key) as trial_store:
        # Reports carry no checkpoint, because it is already in the trial folder. They tell Ray that the run is alive.
        run = TrialRun(trial.config, trial_store, loop_config["warm_up"], score=trial.arm != WARM_UP)
        is_new = not trial_store.folder.state().images
        run_trial(run, loop_config["data"].open(), device, ray.train.report)
        if is_new and ray.train.get_context().get_world_rank() == 0:
            write_timing(trial_store.folder, started, steady_unix_time() - started)
            trial_store.publish(now=True)

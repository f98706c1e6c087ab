"""One data-parallel run on Ray Train: N workers iterate the same loop, rank 0 writes the trial folder."""

from typing import Any

import ray.train
import ray.train.torch
import torch

from cluster.datasets.dataset import DataSet
from cluster.runtime.device import assigned_device
from cluster.storage.weights import stage_vgg
from cluster.studies.study_store import StudyStore
from facegan.config import from_dict
from facegan.study.design.plan import Trial
from facegan.trial import run_trial


def run_data_parallel(trial: Trial, store: StudyStore, data: DataSet, *, workers: int, gpu: bool) -> None:
    """Train one configuration on `workers` workers; a run that was interrupted goes on from its checkpoint."""
    trainer = ray.train.torch.TorchTrainer(
        _worker,
        train_loop_config={
            "config": trial.config.to_dict(),
            "key": trial.key,
            "store": store,
            "data": data,
        },
        scaling_config=ray.train.ScalingConfig(num_workers=workers, use_gpu=gpu),
        torch_config=ray.train.torch.TorchConfig(backend="nccl" if gpu else "gloo"),
        run_config=ray.train.RunConfig(
            name="ray-train",
            storage_path=str((store.folder / "trials" / trial.key).resolve()),
            failure_config=ray.train.FailureConfig(max_failures=2),
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # whatever broke in a worker is this trial's outcome
        with store.trial(trial.key) as broken:
            broken.folder.write_failure(error)
            broken.publish(now=True)


def _worker(given: dict[str, Any]) -> None:
    # Refuses a GPU that torch cannot use, for which Ray Train would take the CPU; which GPU of several it is, Ray Train says.
    assigned_device()
    device = ray.train.torch.get_device()
    assert isinstance(device, torch.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    config = from_dict(given["config"])
    stage_vgg(config.vgg.weights)
    with given["store"].trial(given["key"]) as store:
        # Reports carry no checkpoint: it is in the trial folder already, and Ray only has to hear that the run lives.
        run_trial(config, store, given["data"].open(), device, ray.train.report)

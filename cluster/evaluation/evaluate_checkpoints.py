"""Evaluate checkpoints in Ray tasks. Each task scores some clips; the scores of a clip are stored as one part.

A part is named by a hash of everything that it depends on, so an interrupted evaluation continues with the missing parts.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import ray
import torch

from cluster.datasets.dataset import DataSet
from cluster.evaluation.checkpoints import Checkpoint, CheckpointSet
from cluster.runtime.device import assigned_device
from cluster.runtime.ray_results import first_ready, next_of
from cluster.runtime.start import start_ray, total
from cluster.storage.uri import StorageURI
from cluster.storage.weights import stage_evaluators
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import image_generator
from facegan.metrics.evaluation import (
    ClipMeasurements,
    card_of,
    discrimination_of,
    pack,
    reference_cards,
    reference_measurements,
    unpack,
)
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import generate_all, prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators, refuse_loss_networks
from facegan.metrics.measure import measure
from facegan.metrics.pairs import choose_pairs
from facegan.metrics.probes import probe_generator
from facegan.report.formatting import duration
from facegan.study.design.code_version import code_version
from facegan.training.checkpoint import generator_of

RESULT_FILE = "evaluation.json"
_REFERENCES = "references"
_TASKS_PER_CPU = 4
_GPUS_PER_TASK = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What to evaluate and how; pickled into the tasks. Finished parts are stored under `out`."""

    checkpoints: list[Checkpoint]
    data: DataSet
    evaluators: EvaluatorsConfig
    sampling: Sampling
    fingerprint: str
    """Identifies the evaluators' networks by their files."""
    out: StorageURI

    def part_key(self, name: str, clip: str) -> str:
        """The key of a clip's part under `out`; `name` is one of `names()`."""
        about = [name, self.data.sha256, clip, self.fingerprint, asdict(self.sampling), code_version()]
        return f"parts/{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]}.npz"

    def names(self) -> list[str]:
        """What has parts: the reference rows, then each checkpoint by its sha256, once."""
        return [_REFERENCES, *dict.fromkeys(checkpoint.sha256 for checkpoint in self.checkpoints)]


def plan_evaluation(
    checkpoint_set: CheckpointSet, evaluators: EvaluatorsConfig, sampling: Sampling, out: StorageURI
) -> Evaluation:
    """Check that the checkpoints can be evaluated on the data set, before Ray starts; UserError if not."""
    out.check()
    checkpoints, data = checkpoint_set.checkpoints, checkpoint_set.data
    size = data.manifest().ingest.size
    for checkpoint in checkpoints:
        if checkpoint.config.data.size != size:
            raise UserError(
                f"--data holds images of {size} pixels, {checkpoint.label} draws {checkpoint.config.data.size}: "
                "name a data set of the checkpoint's size"
            )
    stage_evaluators(evaluators)
    refuse_loss_networks(evaluators, [checkpoint.config.vgg for checkpoint in checkpoints])
    choose_pairs(data.open(), "test", Config(), per_clip=1)  # raises UserError if no test clip has two frames
    fingerprint = build_evaluators(evaluators).fingerprint()
    return Evaluation(
        checkpoints=checkpoints, data=data, evaluators=evaluators, sampling=sampling, fingerprint=fingerprint, out=out
    )


def run_evaluation(evaluation: Evaluation, weights: list[bytes]) -> dict[str, Any]:
    """Compute the missing parts on the cluster and combine all parts; the result is also written to `out`."""
    data = evaluation.data.open()
    clips = _clips(data)
    there = {entry.key for entry in evaluation.out.entries("parts/")}
    todo = [c for c in clips if any(evaluation.part_key(n, c) not in there for n in evaluation.names())]
    print(f"evaluate {len(clips) - len(todo)} of {len(clips)} clips are done already", flush=True)
    if todo:
        _run_tasks(evaluation, weights, todo)
    result = gather(evaluation, data)
    evaluation.out.write(RESULT_FILE, json.dumps(result, indent=1, allow_nan=False, default=asdict).encode())
    return result


def _clips(data: FaceData) -> list[str]:
    """The names of the test clips that can be evaluated."""
    return list(dict.fromkeys(choose_pairs(data, "test", Config(), per_clip=1).clip))


def _run_tasks(evaluation: Evaluation, weights: list[bytes], clips: list[str]) -> None:
    start_ray()
    gpus = _GPUS_PER_TASK if total("GPU") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, num_returns="streaming")(evaluate_clips)
    stored = [ray.put(content) for content in weights]
    each = max(1, math.floor(len(clips) / (_TASKS_PER_CPU * max(1.0, total("CPU")))))
    running = [task.remote(evaluation, stored, clips[i : i + each]) for i in range(0, len(clips), each)]
    started, done = time.monotonic(), 0
    while running:
        ready = first_ready(running, {"CPU": 1, "GPU": gpus})
        clip = next_of(ready)
        if clip is None:
            running.remove(ready)
            continue
        done += 1
        seconds = time.monotonic() - started
        left = duration(seconds / done * (len(clips) - done))
        print(f"evaluate {done}/{len(clips)} clips, {done / seconds * 60:.1f} clips/min, ETA {left}  ({clip})", flush=True)


def evaluate_clips(evaluation: Evaluation, weights: list[Any], clips: list[str]) -> Iterator[str]:
    """Compute the missing parts of some clips in this process, and yield the name of each clip when it is done.

    `weights` are those of the checkpoints, or Ray references to them, so that a task holds one network at a time.
    """
    device = assigned_device()
    if device.type == "cpu":
        torch.set_num_threads(1)
    evaluators, data = _evaluators_of_process(evaluation.evaluators, device.type), evaluation.data.open()
    for clip in clips:
        _evaluate_clip(evaluation, weights, clip, data, evaluators, device)
        yield clip


@cache
def _evaluators_of_process(config: EvaluatorsConfig, device: str) -> Evaluators:
    """The evaluators, built once per process: loading and hashing takes seconds, and a Ray worker runs many tasks."""
    stage_evaluators(config)
    return build_evaluators(config, device)


def _evaluate_clip(
    evaluation: Evaluation, weights: list[Any], clip: str, data: FaceData, evaluators: Evaluators, device: torch.device
) -> None:
    out = evaluation.out
    todo = [name for name in evaluation.names() if not out.exists(evaluation.part_key(name, clip))]
    evaluation_set = prepare_evaluation_set(data, evaluators, None, evaluation.sampling, only=clip)
    if _REFERENCES in todo:
        out.write(evaluation.part_key(_REFERENCES, clip), pack(reference_measurements(data, evaluation_set, evaluators)))
    for checkpoint, content in zip(evaluation.checkpoints, weights, strict=True):
        if checkpoint.sha256 not in todo:
            continue
        tensors = content if isinstance(content, bytes) else ray.get(content)
        generator = generator_of(checkpoint.config, tensors).to(device)
        images = generate_all(image_generator(generator, checkpoint.config, device), data, evaluation_set)
        part: ClipMeasurements = dict(measure(images, evaluation_set, evaluators))
        part |= probe_generator(generator, checkpoint.config, device, evaluation_set)
        out.write(evaluation.part_key(checkpoint.sha256, clip), pack(part))


def gather(evaluation: Evaluation, data: FaceData) -> dict[str, Any]:
    """Combine the parts, which must all exist, into evaluation.json's content."""
    evaluators, clips = build_evaluators(evaluation.evaluators), _clips(data)

    def parts(name: str) -> dict[str, ClipMeasurements]:
        keys = {clip: evaluation.part_key(name, clip) for clip in clips}
        return {clip: unpack(evaluation.out.read(key), f"{evaluation.out}/{key}") for clip, key in keys.items()}

    references = parts(_REFERENCES)
    vggs = [checkpoint.config.vgg for checkpoint in evaluation.checkpoints]
    return {
        "data": {**evaluation.data.to_dict(), "synthetic": data.synthetic, "landmarks": data.manifest.ingest.landmarks},
        "evaluators": evaluators.describe(),
        "evaluators_and_losses": refuse_loss_networks(evaluation.evaluators, vggs),
        "sampling": asdict(evaluation.sampling),
        "code": code_version(),
        "discrimination": discrimination_of(references, data),
        "references": reference_cards(references, data, evaluators),
        "checkpoints": [
            {
                **{name: getattr(checkpoint, name) for name in ("label", "arm", "seed", "candidate", "images", "sha256")},
                "vgg": checkpoint.config.vgg.weights,
                "scores": card_of(parts(checkpoint.sha256), data, evaluators),
            }
            for checkpoint in evaluation.checkpoints
        ],
    }

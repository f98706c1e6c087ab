"""One trial: train from a configuration into a trial folder, then score the generator. Runs in any Ray worker, or in none.

The runtime is a small `Run`: a Tune actor, a Ray Train worker group, or a plain process. The science is the same code.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import cv2
import numpy as np
import torch

from cluster.datasets.dataset import DataSet
from cluster.storage.weights import stage_vgg
from cluster.studies.study_store import StudyStore, TrialStore
from facegan import checkpoint
from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.files import write_json
from facegan.inference import image_generator
from facegan.memory import forget_peak_memory, peak_memory_bytes
from facegan.metrics.clip_scores import make_card
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluators import build_evaluators
from facegan.metrics.image_quality import face_error, face_masks
from facegan.metrics.measure import generate_all, measure, prepare_evaluation_set
from facegan.metrics.pairs import choose_pairs, images_of
from facegan.parallel import any_rank, rank_and_world
from facegan.report.sheets import sample_grid
from facegan.start_conditions import start_conditions
from facegan.step import TrainState, new_state
from facegan.study.folder.trial_folder import MetricsRow, State
from facegan.train import Diverged, Progress, train

REFERENCE_EMBEDDINGS = "reference_embeddings.npy"
_WATCHED_PAIRS_PER_CLIP = 4
_WATCHED_PAIRS = 32
_GRID_ROWS = 6


class Run(Protocol):
    """What a trial asks of the place that it runs on."""

    def report(self, metrics: dict[str, float]) -> None:
        """Tell the scheduler, at each checkpoint; every rank calls it. It may not return: ASHA can end the trial here."""


class AloneRun:
    """A trial that no scheduler watches."""

    def report(self, metrics: dict[str, float]) -> None:
        """Nobody to tell."""


def run_trial(
    config: Config, store: TrialStore, data: FaceData, device: torch.device, run: Run, seconds: float | None = None
) -> State:
    """Train to the end from whatever checkpoint is there, score, and leave everything in the trial's folder.

    The end is the configuration's images, or the first report at which the whole run has trained for `seconds`.
    """
    stage_vgg(config.vgg.weights)
    store.fetch_checkpoint()
    state = checkpoint.load(store.folder.checkpoint, config, device) or new_state(config, device)
    writer = _Writer(store, state, data) if rank_and_world()[0] == 0 else None
    last: dict[str, float] = {"images": float(state.images)}
    try:
        for progress in _train_until(state, data, seconds):
            judged = writer.write(progress) if writer else {}
            last = {"images": float(progress.images), **judged}
            if progress.at_checkpoint and not _is_over(state, seconds):
                run.report(last)
    except Diverged as reason:
        if writer:
            writer.say("DIVERGED", str(reason))
        return "DIVERGED"
    if writer:
        writer.finish()
    # Only now, because ASHA ends a trial at the report of its last image.
    run.report(last)
    return "COMPLETED"


def _train_until(state: TrainState, data: FaceData, seconds: float | None) -> Iterator[Progress]:
    """The training loop, broken off where the seconds are spent; its last report is at a checkpoint."""
    if _is_over(state, seconds):
        return
    for progress in train(state, data):
        is_last = _is_over(state, seconds)
        yield replace(progress, at_checkpoint=progress.at_checkpoint or is_last)
        if is_last:
            return


def _is_over(state: TrainState, seconds: float | None) -> bool:
    # Clocks of ranks differ, and all must stop at the same step.
    spent = seconds is not None and any_rank(state.seconds >= seconds, state.device)
    return spent or state.images >= state.config.images


class _Writer:
    """Rank 0's pen: rows of metrics, sample grids, checkpoints, the state and at last the scores."""

    def __init__(self, store: TrialStore, state: TrainState, data: FaceData) -> None:
        self.store, self.folder, self.state, self.data = store, store.folder, state, data
        self.folder.samples.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.path / "config.json", state.config.to_dict())
        self.folder.forget_rows_after(state.images)
        if not state.images:
            self.folder.write_conditions(**start_conditions(state, data))
        forget_peak_memory(state.device)
        self._watch = _Watch(data, state.config)
        self.say("RUNNING")

    def say(self, name: State, error: str = "", *, now: bool = True) -> None:
        s = self.state
        self.folder.write_state(name, images=s.images, seconds=s.seconds, passes=s.passes, error=error)
        self.store.publish(now=now)

    def write(self, progress: Progress) -> dict[str, float]:
        judged: dict[str, float] = {}
        if progress.at_checkpoint:
            judged, grid = self._watch.look(self.state)
            cv2.imwrite(str(self.folder.samples / f"{progress.images:09d}.png"), grid[:, :, ::-1])
        metrics = {**progress.metrics, **judged}
        self.folder.append_row(MetricsRow(progress.images, progress.seconds, time.time(), metrics))
        if progress.at_checkpoint:
            checkpoint.save(self.state, self.folder.checkpoint)
            self._note_memory()
        self.say("RUNNING", now=progress.at_checkpoint)
        return judged

    def _note_memory(self) -> None:
        known = [self.folder.conditions().peak_memory_bytes, peak_memory_bytes(self.state.device)]
        self.folder.write_conditions(peak_memory_bytes=max((peak for peak in known if peak), default=None))

    def finish(self) -> None:
        evaluators = build_evaluators(EvaluatorsConfig())
        evaluation_set = prepare_evaluation_set(self.data, evaluators, self.store.of_study(REFERENCE_EMBEDDINGS), Sampling())
        draw = image_generator(self.state.generator, self.state.config, self.state.device)
        measured = measure(generate_all(draw, self.data, evaluation_set), evaluation_set, evaluators)
        self.folder.write_scores(make_card(measured, evaluation_set.pairs.clip, self.data, evaluators))
        self.say("COMPLETED")


class _Watch:
    """Held-out pairs looked at during training: validation clips, or the test clips where a run holds none out."""

    def __init__(self, data: FaceData, config: Config) -> None:
        part = "validation" if data.clips("validation", config.data.validation_fraction) else "test"
        pairs = choose_pairs(data, part, config, _WATCHED_PAIRS_PER_CLIP)
        chosen = np.linspace(0, len(pairs) - 1, min(_WATCHED_PAIRS, len(pairs))).round().astype(int)
        source, target = pairs.source[chosen], pairs.target[chosen]
        self.metric = f"{part}/face_error"
        self.sources, self.targets = images_of(data, source), images_of(data, target)
        self.points = data.points[target]
        self.masks = face_masks(self.points, data.size)

    def look(self, state: TrainState) -> tuple[dict[str, float], np.ndarray[Any, np.dtype[np.uint8]]]:
        images = image_generator(state.generator, state.config, state.device)(self.sources, self.points)
        error = float(face_error(images, self.targets, self.masks).mean())
        rows = np.linspace(0, len(images) - 1, min(_GRID_ROWS, len(images))).round().astype(int)
        return {self.metric: error}, sample_grid(self.sources[rows], self.points[rows], self.targets[rows], images[rows])


def precompute_reference_embeddings(store: StudyStore, data: DataSet) -> None:
    """Embed the judged pairs' real frames once, so that the trials of a study need not."""
    with store.making(REFERENCE_EMBEDDINGS) as path:
        prepare_evaluation_set(data.open(), build_evaluators(EvaluatorsConfig()), path, Sampling())

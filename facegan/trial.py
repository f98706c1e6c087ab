"""One trial: train a configuration into a trial folder, then score the generator.

It runs in a Tune actor, in the workers of Ray Train or in a plain process: the caller gives the storage, the device and a
function that reports to the scheduler.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facegan import checkpoint
from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.files import write_json
from facegan.inference import Images, image_generator
from facegan.memory import peak_memory_bytes, reset_peak_memory
from facegan.metrics.evaluation import make_card
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import REFERENCE_FRAMES, generate_all, prepare_evaluation_set
from facegan.metrics.evaluators import build_evaluators
from facegan.metrics.measure import measure
from facegan.metrics.probes import probe_generator
from facegan.metrics.validation import VALIDATION_FRAMES, Validation
from facegan.parallel import any_rank, rank_and_world
from facegan.report.sheets import sample_grid
from facegan.start_conditions import start_conditions
from facegan.study.folder.trial_folder import MetricsRow, State, TrialFolder
from facegan.train import Diverged, Progress, train
from facegan.train_state import TrainState, new_state

Report = Callable[[dict[str, float]], None]
"""Tells the scheduler of a checkpoint. Every rank calls it. It may not return: ASHA can end the trial there."""

_GRID_ROWS = 6


class TrialStorage(Protocol):
    """Where a trial is kept: a folder to work in, and the way its files reach the location that outlives the node."""

    @property
    def folder(self) -> TrialFolder:
        """The trial's folder on this node."""

    def fetch_checkpoint(self) -> None:
        """Bring the last checkpoint into the folder, if there is one."""

    def study_file(self, name: str) -> Path:
        """A file of the whole study, fetched if it exists."""

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial, fetched if it exists."""

    def publish(self, *, now: bool) -> None:
        """Send what has changed; unless `now`, only when some seconds have passed since the last time."""


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A trial of a study in a folder of this machine."""

    study: Path
    key: str

    @property
    def folder(self) -> TrialFolder:
        """The trial's folder."""
        return TrialFolder(self.study / "trials" / self.key)

    def fetch_checkpoint(self) -> None:
        """It is there already."""

    def study_file(self, name: str) -> Path:
        """A file of the study's folder."""
        return self.study / name

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial."""
        return LocalStorage(self.study, key).folder.checkpoint

    def publish(self, *, now: bool) -> None:
        """There is nowhere to send it."""


def run_trial(
    config: Config,
    storage: TrialStorage,
    data: FaceData,
    device: torch.device,
    report: Report,
    *,
    seconds: float | None = None,
    warm_up: str | None = None,
    score: bool = True,
) -> State:
    """Train to the end, from the last checkpoint if there is one, and score; all results are left in the trial's folder.

    The end is the configuration's images, or with `seconds` the first report after so much training time. `warm_up` is the key
    of the run that this one branches from. Without `score` the final generator is not scored.
    """
    # Start from the last checkpoint, from the warm-up, or from the weights that the seed gives.
    storage.fetch_checkpoint()
    state = checkpoint.load(storage.folder.checkpoint, config, device)
    if state is None:
        state = checkpoint.branch(storage.checkpoint_of(warm_up), config, device) if warm_up else new_state(config, device)
    writer = _Writer(storage, state, data) if rank_and_world()[0] == 0 else None

    # Train. Rank 0 writes a row at each report; all ranks tell the scheduler at each checkpoint.
    last: dict[str, float] = {"images": float(state.images)}
    try:
        for progress in _train_until(state, data, seconds):
            validation = writer.write(progress) if writer else {}
            last = {"images": float(progress.images), **validation}
            if progress.at_checkpoint and not _is_over(state, seconds):
                report(last)
    except Diverged as reason:
        if writer:
            writer.write_state("DIVERGED", str(reason))
        return "DIVERGED"

    # Score, and only then report the last images: ASHA ends a trial at that report.
    if writer:
        writer.finish(score=score)
    report(last)
    return "COMPLETED"


def _train_until(state: TrainState, data: FaceData, seconds: float | None) -> Iterator[Progress]:
    """The training loop, ended when the seconds are spent; its last report is at a checkpoint."""
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
    """What rank 0 writes: rows of metrics, sample grids, checkpoints, the state, and at the end the scores."""

    def __init__(self, storage: TrialStorage, state: TrainState, data: FaceData) -> None:
        self.storage, self.folder, self.state, self.data = storage, storage.folder, state, data
        self.folder.samples.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.path / "config.json", state.config.to_dict())
        self.folder.forget_rows_after(state.images)
        if not state.images:
            self.folder.write_conditions(**start_conditions(state, data))
        reset_peak_memory(state.device)
        self._evaluators = build_evaluators(EvaluatorsConfig())
        self._validation = Validation(data, state.config, self._evaluators, storage.study_file(VALIDATION_FRAMES))
        self.write_state("RUNNING")

    def write_state(self, name: State, error: str = "", *, now: bool = True) -> None:
        state = self.state
        self.folder.write_state(name, images=state.images, seconds=state.seconds, passes=state.passes, error=error)
        self.storage.publish(now=now)

    def write(self, progress: Progress) -> dict[str, float]:
        """Write one report; at a checkpoint also the checkpoint, a sample grid and the validation score, which is returned."""
        row = MetricsRow(progress.images, progress.seconds, time.time(), progress.metrics)
        if not progress.at_checkpoint:
            self.folder.append_row(row)
            self.write_state("RUNNING", now=False)
            return {}
        generate = image_generator(self.state.result, self.state.config, self.state.device)
        validation, images = self._validation.score(generate)
        grid = _grid(self._validation, images)
        cv2.imwrite(str(self.folder.samples / f"{progress.images:09d}.png"), grid[:, :, ::-1])
        self.folder.append_row(replace(row, metrics={**row.metrics, **validation}))
        checkpoint.save(self.state, self.folder.checkpoint)
        peaks = (self.folder.conditions().peak_memory_bytes, peak_memory_bytes(self.state.device))
        self.folder.write_conditions(peak_memory_bytes=max((peak for peak in peaks if peak), default=None))
        self.write_state("RUNNING")
        return validation

    def finish(self, *, score: bool) -> None:
        """Score the final generator on the test people and close the trial."""
        if score:
            self._score()
        self.write_state("COMPLETED")

    def _score(self) -> None:
        state, evaluators = self.state, self._evaluators
        real_frames = self.storage.study_file(REFERENCE_FRAMES)
        evaluation_set = prepare_evaluation_set(self.data, evaluators, real_frames, Sampling())
        generate = image_generator(state.result, state.config, state.device)
        measured = measure(generate_all(generate, self.data, evaluation_set), evaluation_set, evaluators)
        measured |= probe_generator(state.result, state.config, state.device, evaluation_set)
        self.folder.write_scores(make_card(measured, evaluation_set.pairs.clip, self.data, evaluators))


def _grid(validation: Validation, images: Images) -> NDArray[np.uint8]:
    """Sources, landmarks, targets and generated images of some of the validation pairs."""
    rows = np.linspace(0, len(images) - 1, min(_GRID_ROWS, len(images))).round().astype(int)
    return sample_grid(validation.sources[rows], validation.points[rows], validation.targets[rows], images[rows])

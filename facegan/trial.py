"""Trials: train configurations into trial folders, then score the generators.

They run in a Tune actor, in the workers of Ray Train or in a plain process: the caller gives the storage, the device and a
function that reports to the scheduler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facegan.clock import steady_unix_time
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.files import write_json
from facegan.inference import Images, image_generator
from facegan.metrics.validation import Validation
from facegan.nets.vgg import Vgg19
from facegan.report.sheets import sample_grid
from facegan.scorer import Scorer
from facegan.study.folder.trial_folder import MetricsRow, State
from facegan.training import checkpoint
from facegan.training.memory import peak_memory_bytes, reset_peak_memory
from facegan.training.parallel import any_rank, rank_and_world
from facegan.training.start_conditions import start_conditions
from facegan.training.state import TrainState, new_state
from facegan.training.train import Diverged, Progress, Together
from facegan.trial_storage import TrialStorage

Report = Callable[[dict[str, float]], None]
"""Tells the scheduler of a checkpoint. Every rank calls it. It may not return: ASHA can end the trial there."""

_GRID_ROWS = 6


@dataclass(frozen=True, slots=True)
class TrialRun:
    """A configuration to train, and where it is kept."""

    config: Config
    storage: TrialStorage
    warm_up: str | None = None
    """The key of the run that this one branches from."""
    score: bool = True
    """Whether the final generator is scored."""


def run_trial(trial: TrialRun, data: FaceData, device: torch.device, report: Report, *, seconds: float | None = None) -> State:
    """Train one configuration; see `run_trials`."""
    return run_trials([trial], data, device, lambda _, metrics: report(metrics), Scorer(data), seconds=seconds)[0]


def run_trials(
    trials: Sequence[TrialRun],
    data: FaceData,
    device: torch.device,
    report: Callable[[int, dict[str, float]], None],
    scorer: Scorer,
    *,
    seconds: float | None = None,
) -> list[State]:
    """Train to the end, each from its last checkpoint if there is one, and score; all results are left in the trials' folders.

    The end is the configuration's images, or with `seconds` the first report after so much training time. Several trials train
    together, and must see the same batches (`facegan.training.train.same_batches`). Each has the results that it would have
    alone. `report` is told the position of a trial and its metrics at each checkpoint.
    """
    # Start from the last checkpoint, from the warm-up, or from the weights that the seed gives.
    if _is_first_rank():
        for trial in trials:
            trial.storage.claim()
    states: list[TrainState] = []
    for trial in trials:
        shared = next((state.vgg for state in states if state.vgg is not None), None)
        states.append(_start(trial, device, shared))
    writers = [_Writer(t, state, data, scorer) for t, state in zip(trials, states, strict=True)] if _is_first_rank() else []
    ends: dict[int, State] = {}

    def end(place: int, metrics: dict[str, float]) -> None:
        # Score, and only then report the last images: ASHA ends a trial at that report.
        if writers:
            writers[place].finish(score=trials[place].score)
        ends[place] = "COMPLETED"
        report(place, metrics)

    # Train. Rank 0 writes a row at each report; all ranks tell the scheduler at each checkpoint.
    together = Together(states, data)
    for place, state in enumerate(states):
        if _is_over(state, seconds):
            together.leave(place)
            end(place, {"images": float(state.images)})
    for place, news in together:
        if isinstance(news, Diverged):
            ends[place] = "DIVERGED"
            if writers:
                writers[place].diverge(str(news))
            continue
        is_last = _is_over(states[place], seconds)
        progress = replace(news, at_checkpoint=news.at_checkpoint or is_last)
        validation = writers[place].write(progress) if writers else {}
        metrics = {"images": float(progress.images), **validation}
        if is_last:
            together.leave(place)
            end(place, metrics)
        elif progress.at_checkpoint:
            report(place, metrics)
    return [ends[place] for place in range(len(trials))]


def _start(trial: TrialRun, device: torch.device, vgg: Vgg19 | None) -> TrainState:
    config, storage = trial.config, trial.storage
    storage.fetch_checkpoint()
    state = checkpoint.load(storage.folder.checkpoint, config, device, vgg)
    if state is not None:
        return state
    if trial.warm_up is not None:
        return checkpoint.branch(storage.checkpoint_of(trial.warm_up), config, device, vgg)
    return new_state(config, device, vgg)


def _is_first_rank() -> bool:
    return rank_and_world()[0] == 0


def _is_over(state: TrainState, seconds: float | None) -> bool:
    # Clocks of ranks differ, and all must stop at the same step.
    spent = seconds is not None and any_rank(state.seconds >= seconds, state.device)
    return spent or state.images >= state.config.images


class _Writer:
    """What rank 0 writes: rows of metrics, sample grids, checkpoints, the state, and at the end the scores."""

    def __init__(self, trial: TrialRun, state: TrainState, data: FaceData, scorer: Scorer) -> None:
        self.storage, self.folder, self.state, self._scorer = trial.storage, trial.storage.folder, state, scorer
        self.folder.samples.mkdir(parents=True, exist_ok=True)
        write_json(self.folder.path / "config.json", state.config.to_dict())
        self.folder.forget_rows_after(state.images)
        if not state.images:
            self.folder.write_conditions(**start_conditions(state, data))
        reset_peak_memory(state.device)
        self.write_state("RUNNING")

    def write_state(self, name: State, error: str = "", *, now: bool = True) -> None:
        state = self.state
        self.folder.write_state(name, images=state.images, seconds=state.seconds, passes=state.passes, error=error)
        self.storage.publish(now=now)

    def write(self, progress: Progress) -> dict[str, float]:
        """Write one report; at a checkpoint also the checkpoint, a sample grid and the validation score, which is returned."""
        row = MetricsRow(progress.images, progress.seconds, steady_unix_time(), progress.metrics)
        if not progress.at_checkpoint:
            self.storage.check_claim()
            self.folder.append_row(row)
            # A checkpoint of its own, without the validation that all runs make at the same images.
            save_now = self.storage.node_ends()
            if save_now:
                checkpoint.save(self.state, self.folder.checkpoint)
            self.write_state("RUNNING", now=save_now)
            return {}
        # Prepared when it is needed for the first time: the first rows come earlier.
        held_out = self._scorer.validation(self.state.config, self.storage.study_file)
        validation, images = held_out.score(image_generator(self.state.result, self.state.config, self.state.device))
        grid = _grid(held_out, images)
        self.storage.check_claim()
        cv2.imwrite(str(self.folder.samples / f"{progress.images:09d}.png"), grid[:, :, ::-1])
        self.folder.append_row(replace(row, metrics={**row.metrics, **validation}))
        checkpoint.save(self.state, self.folder.checkpoint)
        peaks = (self.folder.conditions().peak_memory_bytes, peak_memory_bytes(self.state.device))
        self.folder.write_conditions(peak_memory_bytes=max((peak for peak in peaks if peak), default=None))
        self.write_state("RUNNING")
        return validation

    def diverge(self, reason: str) -> None:
        """Close the trial without scores."""
        self.storage.check_claim()
        self.write_state("DIVERGED", reason)

    def finish(self, *, score: bool) -> None:
        """Score the final generator on the test people and close the trial."""
        card = self._scorer.card(self.state, self.storage.study_file) if score else None
        self.storage.check_claim()
        if card is not None:
            self.folder.write_scores(card)
        self.write_state("COMPLETED")


def _grid(validation: Validation, images: Images) -> NDArray[np.uint8]:
    """Sources, landmarks, targets and generated images of some of the validation pairs."""
    rows = np.linspace(0, len(images) - 1, min(_GRID_ROWS, len(images))).round().astype(int)
    return sample_grid(validation.sources[rows], validation.points[rows], validation.targets[rows], images[rows])

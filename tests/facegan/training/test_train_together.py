"""Runs that train together: each has the numbers that it has alone, whatever becomes of the others."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from facegan.config import Config
from facegan.data.reading.batch import Batch, Triplets
from facegan.data.reading.face_data import FaceData
from facegan.scorer import Scorer
from facegan.study.folder.trial_folder import TrialFolder
from facegan.training import checkpoint
from facegan.training.state import TrainState, new_state
from facegan.training.train import Diverged, Progress, Together, train
from facegan.trial import TrialRun, run_trials
from facegan.trial_storage import LocalStorage

CPU = torch.device("cpu")

Reports = list[tuple[int, dict[str, float]]]


@pytest.fixture
def arms(tiny: Config) -> list[Config]:
    """Runs that need different parts of what is shared: all of it, no VGG-19 and fewer images, one cycle, other layers."""
    tiny = tiny.override({"gradient_diagnostics_every": 16})
    return [
        tiny,
        tiny.override({"loss.perceptual": 0.0, "loss.identity": 0.0, "images": 24}),
        tiny.override({"loss.self_consistency": 0.0, "loss.perceptual": 0.0}),
        tiny.override({"loss.triple_consistency": 0.0, "loss.identity": 0.0, "loss.style": 1.0}),
    ]


def science(progress: Progress) -> tuple[int, dict[str, float]]:
    return progress.images, {k: v for k, v in progress.metrics.items() if k != "images_per_second"}


def tensors(state: TrainState) -> list[torch.Tensor]:
    return [*state.generator.parameters(), *state.discriminator.parameters()]


def alone(config: Config, data: FaceData) -> tuple[TrainState, Reports]:
    state = new_state(config, CPU)
    return state, [science(progress) for progress in train(state, data)]


def together(states: list[TrainState], data: FaceData) -> dict[int, list[Progress | Diverged]]:
    found: dict[int, list[Progress | Diverged]] = {place: [] for place in range(len(states))}
    for place, report in Together(states, data):
        found[place].append(report)
    return found


def assert_as_alone(state: TrainState, reports: list[Progress | Diverged], data: FaceData) -> None:
    expected, rows = alone(state.config, data)
    assert [science(r) for r in reports if isinstance(r, Progress)] == rows
    assert all(map(torch.equal, tensors(state), tensors(expected)))
    assert state.passes == expected.passes and state.images == expected.images


@pytest.mark.parametrize("backwards", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_each_arm_has_the_numbers_of_training_alone(data: FaceData, arms: list[Config], backwards: bool) -> None:
    """In whatever order: what is shared is what any of them needs."""
    arms = arms[::-1] if backwards else arms
    states = [new_state(arms[0], CPU)]
    states += [new_state(arm, CPU, states[0].vgg) for arm in arms[1:]]
    assert [state.vgg for state in states].count(None) == 1
    assert len({id(state.vgg) for state in states if state.vgg is not None}) == 1
    found = together(states, data)
    for place, state in enumerate(states):
        assert_as_alone(state, found[place], data)


def test_what_is_shared_is_made_once(data: FaceData, tiny: Config) -> None:
    arms = [tiny.override({"images": 8}), tiny.override({"images": 8, "loss.pixel": 0.0})]
    first = new_state(arms[0], CPU)
    states = [first, new_state(arms[1], CPU, first.vgg)]
    seen: list[int] = []
    assert first.vgg is not None
    first.vgg.register_forward_hook(lambda _m, inputs, _o: seen.append(len(inputs[0])))
    together(states, data)
    # Of two steps: the target, and each run's own image.
    assert seen == [4, 4, 4] * 2


@pytest.mark.slow
def test_a_run_that_diverges_leaves_the_others_alone(data: FaceData, arms: list[Config]) -> None:
    states = [new_state(arm, CPU) for arm in arms[:3]]
    with torch.no_grad():
        states[1].generator.last.weight[0] = float("nan")
    found = together(states, data)
    (reason,) = found[1]
    assert isinstance(reason, Diverged) and "loss/pixel" in str(reason) and states[1].images == 8
    for place in (0, 2):
        assert_as_alone(states[place], found[place], data)


@pytest.mark.slow
@pytest.mark.parametrize(("stopped", "while_reading"), [(0, 2), (2, 0)])
def test_a_run_that_is_stopped_leaves_the_others_alone(
    data: FaceData, arms: list[Config], stopped: int, while_reading: int
) -> None:
    """Also before its own report of the same step has been read."""
    states = [new_state(arm, CPU) for arm in arms[:3]]
    runs = Together(states, data)
    found: dict[int, list[Progress | Diverged]] = {place: [] for place in range(3)}
    for place, report in runs:
        found[place].append(report)
        if place == while_reading:
            runs.leave(stopped)
    assert len(found[stopped]) == (stopped < while_reading) and states[stopped].images == 8
    for place in {0, 1, 2} - {stopped}:
        assert_as_alone(states[place], found[place], data)


@pytest.mark.slow
def test_a_resumed_run_joins_at_its_step(data: FaceData, arms: list[Config], tmp_path: Path) -> None:
    resumed, whole = new_state(arms[0], CPU), new_state(arms[2], CPU)
    for progress in train(resumed, data):
        if progress.at_checkpoint:
            checkpoint.save(resumed, tmp_path / "checkpoint")
            break
    again = checkpoint.load(tmp_path / "checkpoint", arms[0], CPU)
    assert again is not None and again.images == 16
    found = together([again, whole], data)
    assert_as_alone(whole, found[1], data)
    expected, rows = alone(arms[0], data)
    assert [science(r) for r in found[0] if isinstance(r, Progress)] == rows[2:]
    assert all(map(torch.equal, tensors(again), tensors(expected)))


def test_a_gap_that_no_run_trains_in_is_left_out(
    data: FaceData, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run ends before the other begins: the batches between are not decoded."""
    short, late = new_state(tiny.override({"images": 8}), CPU), new_state(tiny, CPU)
    late.images = 24
    asked: list[int] = []
    fetch = data.batch

    def counted(self: FaceData, triplets: Triplets) -> Batch:
        asked.append(1)
        return fetch(triplets)

    monkeypatch.setattr(FaceData, "batch", counted)
    found = together([short, late], data)
    assert [len(reports) for reports in found.values()] == [1, 1]
    # Two steps each, and up to four batches ahead of each.
    assert len(asked) <= 2 * (2 + 4)


def test_runs_of_other_batches_are_refused(data: FaceData, tiny: Config) -> None:
    with pytest.raises(ValueError, match="different batches"):
        Together([new_state(tiny, CPU), new_state(tiny.override({"seed": 1}), CPU)], data)


@pytest.mark.slow
def test_the_time_is_shared(data: FaceData, arms: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that advances by a second a reading, and is read before and after each step."""
    readings = iter(range(10_000))
    monkeypatch.setattr("facegan.training.train.time", SimpleNamespace(perf_counter=lambda: float(next(readings))))
    states = [new_state(arm, CPU) for arm in arms[:2]]
    together(states, data)
    # Six steps of both runs, then the rest of the longer one.
    assert (states[1].seconds, states[0].seconds) == (3.0, 3.0 + (states[0].images - 24) / 4)


@pytest.mark.slow
def test_trials_that_train_together_leave_the_files_of_trials_alone(data: FaceData, arms: list[Config], tmp_path: Path) -> None:
    configs = [arms[0], arms[1].override({"loss.pixel": 1e38}), arms[2]]

    def run(study: str, *chosen: int) -> list[TrialFolder]:
        storages = [LocalStorage(tmp_path / study, str(place)) for place in chosen]
        runs = [TrialRun(configs[place], storage) for place, storage in zip(chosen, storages, strict=True)]
        ends = run_trials(runs, data, CPU, lambda place, metrics: told.append((place, metrics["images"])), Scorer(data))
        assert ends == ["DIVERGED" if place == 1 else "COMPLETED" for place in chosen]
        return [storage.folder for storage in storages]

    told: list[tuple[int, float]] = []
    group = run("together", 0, 1, 2)
    assert told == [(0, 16.0), (2, 16.0), (0, 32.0), (2, 32.0)]
    for place, folder in zip((0, 1, 2), group, strict=True):
        (single,) = run("alone", place)
        assert [(r.images, {**r.metrics, "images_per_second": 0}) for r in folder.rows()] == [
            (r.images, {**r.metrics, "images_per_second": 0}) for r in single.rows()
        ]
        assert folder.scores() == single.scores()
        assert (folder.state().state, folder.state().images, folder.state().error) == (
            single.state().state,
            single.state().images,
            single.state().error,
        )
        for file in ("generator.safetensors", "discriminator_optimizer.safetensors"):
            if place != 1:
                assert (folder.checkpoint / file).read_bytes() == (single.checkpoint / file).read_bytes()

"""A budget of seconds: a run ends at the first report after it, counts across restarts, and stops on all ranks together."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from cluster.datasets.dataset import existing
from cluster.runtime.resource_flags import TrialResources
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.sweep import run_sweep
from facegan import trial
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.study.analysis.parity import check_parity
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import choose_budget
from facegan.study.design.plan import make_plan
from facegan.study.folder.trial_folder import TrialFolder, trial_folder
from facegan.trial import Report, TrialRun, run_trial
from tests.cluster.studies.one_rank import one_rank
from tests.planning import PLANNED_DATA
from tests.serving import free_port

CPU = torch.device("cpu")


@pytest.fixture
def endless(tiny: Config) -> Config:
    return tiny.override({"images": 4_000_000})


@pytest.fixture
def one_second_per_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the training loop, read before and after each of the two steps of a report, advances by half a second."""
    monkeypatch.setattr("facegan.training.train.time", SimpleNamespace(perf_counter=count(0.0, 0.5).__next__))


@pytest.fixture
def without_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the scoring at the end of a run, which takes seconds."""
    monkeypatch.setattr(trial._Writer, "finish", lambda self, score: self.write_state("COMPLETED"))


class Killed(Exception):
    """What ends a run from outside."""


def killed_at_first_report(metrics: dict[str, float]) -> None:
    """A scheduler's report that does not return."""
    raise Killed


def report_to_nobody(metrics: dict[str, float]) -> None:
    """A trial that no scheduler watches."""


def run(root: Path, config: Config, data: FaceData, seconds: float, report: Report) -> TrialFolder:
    with StudyStore(StorageURI(str(root))).trial("key") as store:
        run_trial(TrialRun(config, store), data, CPU, report, seconds=seconds)
    return TrialFolder(root / "trials" / "key")


def reports(folder: TrialFolder) -> list[tuple[int, float]]:
    return [(row.images, row.seconds) for row in folder.rows()]


@pytest.mark.slow
@pytest.mark.usefixtures("one_second_per_report", "without_scoring")
@pytest.mark.parametrize(("seconds", "ends"), [(2.5, 24), (3.0, 24), (3.1, 32)])
def test_a_run_ends_at_the_first_report_after_its_budget(
    seconds: float, ends: int, endless: Config, data: FaceData, tmp_path: Path
) -> None:
    folder = run(tmp_path, endless, data, seconds, report_to_nobody)
    assert reports(folder) == [(8 * i, float(i)) for i in range(1, ends // 8 + 1)]
    assert folder.state().state == "COMPLETED" and folder.state().images == ends
    # The last report is a checkpoint, wherever it falls.
    assert "validation/face_error" in folder.rows()[-1].metrics
    assert (folder.samples / f"{ends:09d}.png").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("one_second_per_report", "without_scoring")
def test_a_killed_run_continues_with_the_seconds_it_had(endless: Config, data: FaceData, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, endless, data, 5.0, killed_at_first_report)
    folder = run(tmp_path, endless, data, 5.0, report_to_nobody)
    assert reports(folder) == [(8 * i, float(i)) for i in range(1, 6)]


@pytest.mark.slow
@pytest.mark.usefixtures("one_second_per_report")
def test_a_run_killed_during_scoring_trains_no_further(
    endless: Config, data: FaceData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: object, score: bool) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trial._Writer, "finish", killed)
        with pytest.raises(Killed):
            run(tmp_path, endless, data, 3.0, report_to_nobody)
    monkeypatch.setattr(trial._Writer, "finish", lambda self, score: self.write_state("COMPLETED"))
    folder = run(tmp_path, endless, data, 3.0, report_to_nobody)
    assert folder.state().images == 24


@pytest.mark.slow
def test_ranks_whose_clocks_differ_stop_at_the_same_step(endless: Config, tmp_path: Path) -> None:
    spawn(one_rank, args=(2, free_port(), endless, str(tmp_path / "answers")), nprocs=2)
    assert [(tmp_path / f"answers{rank}").read_text() for rank in (0, 1)] == ["[True, False]"] * 2


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_all_runs_of_a_study_train_for_its_seconds(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    arms = choose_design("figure2", Config(), names=("full", "no_consistency")).arms
    budget = choose_budget("seconds", 1.5, tiny, arms)
    plan = make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="", budget=budget)
    run_sweep(plan, StudyStore(StorageURI(str(tmp_path))), existing(StorageURI(str(data_folder))), TrialResources(1, None))
    assert [trial_folder(tmp_path, t).state().state for t in plan.trials] == ["COMPLETED", "COMPLETED"]
    for trial_of_plan in plan.trials:
        *before, last = [row.seconds for row in trial_folder(tmp_path, trial_of_plan).rows()]
        assert last >= 1.5 and all(value < 1.5 for value in before)
    assert check_parity(tmp_path, plan).trials[0].seconds >= 1.5

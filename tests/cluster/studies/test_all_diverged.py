"""A study or a search in which every run diverged has no result: it says so in a line, and its exit code is 1."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.datasets.dataset import DataSet, existing
from cluster.storage.uri import StorageURI
from cluster.studies.arguments import StudyArguments
from cluster.studies.run_search import _of_candidates, run_search
from cluster.studies.run_study import StudyRequest, _plan, run_study
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import Plan
from facegan.study.design.search_space import parse_space
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import finish_trial, planted_card

REASON = "pixel is not finite within the first 8 images"


def no_trial_is_left(plan: Plan, store: StudyStore, data: DataSet) -> None:
    raise AssertionError("nothing is left to train")


@pytest.fixture
def request_of(data_folder: Path, tiny: Config, tmp_path: Path) -> StudyRequest:
    """A study of two arms."""
    data = shutil.copytree(data_folder, tmp_path / "data")
    return StudyRequest(
        shared=StudyArguments(data=str(data), study=str(tmp_path / "study"), config=tiny),
        design="figure2",
        arms=choose_design("figure2", tiny, names=("no_pixel", "full")).arms,
        seeds=(0,),
    )


def diverge(request: StudyRequest, completed: int = 0) -> Path:
    """Plan a study, and let its first runs complete and the others diverge; returns its folder."""
    store = StudyStore(StorageURI(request.shared.study))
    data = existing(StorageURI(request.shared.data))
    for number, trial in enumerate(store.open(_plan(request, data, request.seeds, "fp32")).trials):
        if number < completed:
            finish_trial(store.folder, trial, planted_card(10, 0.1, 0.2))
        else:
            folder = trial_folder(store.folder, trial)
            folder.path.mkdir(parents=True)
            folder.write_state("DIVERGED", images=8, seconds=1.0, passes={}, error=REASON)
    return store.folder


def test_a_study_without_a_result_ends_with_exit_code_1(request_of: StudyRequest, capfd: pytest.CaptureFixture[str]) -> None:
    study = diverge(request_of)
    with pytest.raises(SystemExit) as ended:
        run_study(request_of, no_trial_is_left)
    out, err = capfd.readouterr()
    assert ended.value.code == 1 and (study / "report.html").exists() and "report   " in out
    assert err.splitlines()[-1].startswith(f"no result: all 2 runs diverged ({REASON}); lower the weights or")


def test_a_study_with_one_result_ends_well(request_of: StudyRequest, capfd: pytest.CaptureFixture[str]) -> None:
    diverge(request_of, completed=1)
    run_study(request_of, no_trial_is_left)
    assert "no result" not in capfd.readouterr().err


def test_a_search_without_a_candidate_trains_no_finalists(
    request_of: StudyRequest, tiny: Config, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = SearchSettings(parse_space(("loss.pixel=1e37..1e38",), tiny), "random", 2, 8, 1)
    request = replace(request_of, arms=request_of.arms[1:], search=settings)
    diverge(_of_candidates(request))
    with pytest.raises(SystemExit) as ended:
        run_search(request, no_trial_is_left, (1, 2))
    assert ended.value.code == 1 and not (tmp_path / "study").exists()
    assert f"no result: all 2 runs diverged ({REASON})" in capfd.readouterr().err.splitlines()[-1]

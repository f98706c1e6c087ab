"""Progress of a study on the console, and a tracker that fails meanwhile."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.progress import show_progress
from cluster.studies.study_store import StudyStore
from cluster.tracking.tracker import RegisteredModel
from facegan.config import Config
from facegan.study.conclusions.summary import Summary
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Trial, make_plan
from tests.planning import PLANNED_DATA


class UnreachableTracker:
    """A tracker whose server does not answer."""

    name = "Nowhere"
    location = "http://nowhere"

    def sync(self) -> None:
        raise OSError("no route to host\nmore lines of the error")

    def register(self, trial: Trial, summary: Summary) -> RegisteredModel:
        raise NotImplementedError

    def finish(self, note: str, tags: Mapping[str, str]) -> None:
        raise NotImplementedError


def test_a_tracker_that_fails_is_reported_and_does_not_end_the_study(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = choose_design("figure2", Config()).arms
    plan = make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0,), candidates=1, data=PLANNED_DATA, commit="")
    with show_progress(plan, StudyStore(StorageURI(str(tmp_path))), UnreachableTracker):
        pass
    output = capsys.readouterr().out
    assert "sync failed and is tried again: OSError: no route to host\n" in output
    assert "train      0%  0/128 images" in output

"""A study in a bucket that is extended from another machine than the one that began it."""

from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import SCORES
from tests.planning import PLANNED_DATA

pytestmark = pytest.mark.s3


def one_arm(config: Config, *seeds: int) -> Plan:
    """The plan of the full loss."""
    arms = choose_design("figure2", config, names=("full",)).arms
    return make_plan(config, arms, design="figure2", preset="demo", seeds=seeds, data=PLANNED_DATA, commit="")


def test_another_machine_that_adds_a_seed_counts_the_results_in_the_bucket(
    moto: str, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StudyStore(StorageURI("s3://faces/studies/extended"))
    (trial,) = store.open(one_arm(tiny, 0)).trials
    with store.trial(trial.key) as written:
        written.claim()
        written.folder.write_state("COMPLETED", images=8, seconds=1.0, passes={})
        (written.folder.path / SCORES).write_text("{}")
        written.publish(now=True)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    (change,) = StudyStore(store.location).open(one_arm(tiny, 0, 1)).changes
    assert (change.what, change.results_seen) == ("seed 1 added", 1)

"""A study that ends at --max_hours: what fits is trained, the rest is left, and a higher limit goes on."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.datasets.dataset import DataSet, existing
from cluster.runtime.resource_flags import TrialResources
from cluster.storage.uri import StorageURI
from cluster.studies.cost_flags import CostFlags
from cluster.studies.rates import save_rates
from cluster.studies.study_store import StudyStore
from cluster.studies.sweep import run_sweep
from facegan.config import Config
from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.rates import ASSUMED_SECONDS, Rates
from facegan.study.cost.spending import Spending, write_spending
from facegan.study.cost.timing import read_timing
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.known import known
from tests.planning import PLANNED_DATA

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("local_ray")]
NOTHING_FIXED = replace(ASSUMED_SECONDS, start=0.0, checkpoint=0.0, scoring=0.0, study=0.0)


def plan(config: Config, seeds: int) -> Plan:
    return make_plan(
        config,
        choose_design("figure2", config, names=("no_pixel", "full")).arms,
        design="figure2",
        preset="demo",
        seeds=tuple(range(seeds)),
        data=PLANNED_DATA,
        commit="",
    )


def sweep(study: Plan, folder: Path, data: DataSet, max_hours: float) -> None:
    store = StudyStore(StorageURI(str(folder)))
    store.open(study)
    run_sweep(study, store, data, TrialResources(1, 0), cost=CostFlags(max_hours=max_hours))


def states(study: Plan, folder: Path) -> list[str]:
    return [trial_folder(folder, trial).state().state for trial in study.run_order()]


@pytest.fixture
def data_set(data_folder: Path) -> DataSet:
    return existing(StorageURI(str(data_folder)))


def test_running_trials_end_at_a_checkpoint_and_go_on_under_a_higher_limit(
    tiny: Config, data_set: DataSet, tmp_path: Path
) -> None:
    study = plan(tiny.override({"images": 4_000, "report_every": 8, "checkpoint_every": 8}), 2)
    first = [trial_folder(tmp_path, trial) for trial in study.run_order()]
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sweep, study, tmp_path, data_set, 1.0)
        deadline = time.monotonic() + 120
        while first[0].state().images < 16:
            assert time.monotonic() < deadline and not ended.done()
            time.sleep(0.05)
        write_spending(tmp_path, Spending(seconds=3600.0))
        ended.result()
    stopped = first[0].state()
    assert stopped.state == "RUNNING" and 16 <= stopped.images < 4_000 and first[0].checkpoint.exists()
    assert set(states(study, tmp_path)) == {"RUNNING", "PENDING"}
    # Nothing is left for another trial.
    sweep(study, tmp_path, data_set, 1.0)
    assert first[0].state() == stopped
    # The rest of the study is another one's work: it goes on from the checkpoint. This limit lets it start at any speed.
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sweep, study, tmp_path, data_set, 1000.0)
        deadline = time.monotonic() + 120
        while first[0].state().images <= stopped.images:
            assert time.monotonic() < deadline and not ended.done()
            time.sleep(0.05)
        write_spending(tmp_path, Spending(seconds=1000 * 3600.0))
        ended.result()
    rows = [row.images for row in first[0].rows()]
    assert rows == list(range(8, rows[-1] + 1, 8)), "no row twice, none left out"


def test_seeds_that_turn_out_to_be_short_make_room_for_more(tiny: Config, data_set: DataSet, tmp_path: Path) -> None:
    """By the speed that was known before, one seed fits into the limit; by that of its trials all do."""
    study = plan(tiny.override({"images": 16}), 2)
    slow = Rates({"no_pixel": 0.015, "full": 0.015}, "cpu", "slow", NOTHING_FIXED)
    save_rates(arm_configs(study), slow)
    sweep(study, tmp_path, data_set, 0.5)
    assert states(study, tmp_path) == ["COMPLETED"] * 4
    # The second seed was started when the first had ended.
    timings = {trial: known(read_timing(trial_folder(tmp_path, trial))) for trial in study.trials}
    first_ends = max(timing.started + timing.seconds for trial, timing in timings.items() if trial.seed == 0)
    assert all(timing.started > first_ends for trial, timing in timings.items() if trial.seed == 1)


def test_a_trial_that_does_not_fit_is_not_started(tiny: Config, data_set: DataSet, tmp_path: Path) -> None:
    study = plan(tiny.override({"images": 16, "report_every": 16}), 1)
    mixed = Rates({"no_pixel": 100.0, "full": 100.0}, "cpu", "", NOTHING_FIXED)
    first = study.run_order()[0].arm
    save_rates(arm_configs(study), replace(mixed, images_per_second={**mixed.images_per_second, first: 1e-6}))
    sweep(study, tmp_path, data_set, 0.5)
    assert states(study, tmp_path) == ["PENDING", "PENDING"]

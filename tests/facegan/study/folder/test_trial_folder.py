"""Files of a trial."""

from pathlib import Path

from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder, trial_folder
from tests.planning import PLANNED_DATA


def plan(config: Config, **changes: object) -> Plan:
    given = {
        "design": "figure2",
        "preset": "demo",
        "seeds": (0, 1),
        "candidates": 2,
        "data": PLANNED_DATA,
        "commit": "c",
    } | changes
    return make_plan(config, choose_design("figure2", Config()).arms, **given)  # type: ignore[arg-type]


def test_rows_that_a_resumed_trial_writes_again_are_dropped(tiny: Config, tmp_path: Path) -> None:
    folder: TrialFolder = trial_folder(tmp_path, plan(tiny).trials[0])
    assert folder.state().state == "PENDING"
    folder.path.mkdir(parents=True)
    for images in (8, 16, 24):
        folder.append_row(MetricsRow(images, 1.0, 0.0, {}))
    with (folder.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"images": 3')  # killed while writing
    folder.forget_rows_after(16)
    assert [row.images for row in folder.rows()] == [8, 16]

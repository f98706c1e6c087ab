"""runs.parquet has every score of a study."""

from pathlib import Path

import pyarrow.parquet as pq

from facegan.config import Config
from facegan.metrics.table import METRICS
from facegan.study.conclusions.run_table import write_run_table
from tests.facegan.study.planted_study import CLIPS, finish_trial, make_study, planted_card


def test_a_row_is_a_run_a_clip_and_a_metric(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[0, 1])
    card = planted_card(21.9, 0.14, 0.36, seed=2)
    for trial in plan.trials[:3]:
        finish_trial(tmp_path, trial, card, face_error=1.0)
    write_run_table(tmp_path, plan, {CLIPS[0]: "ada"})
    rows = pq.read_table(tmp_path / "runs.parquet").to_pylist()
    assert len(rows) == 3 * len(CLIPS) * len(METRICS)
    (row,) = [r for r in rows if r["trial"] == plan.trials[1].key and r["clip"] == CLIPS[0] and r["metric"] == "face_error"]
    assert row["value"] == card["face_error"].clips[CLIPS[0]] and row["person"] == "ada"
    assert (row["arm"], row["seed"]) == (plan.trials[1].arm, 0)

"""The summary of a study folder."""

from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.files import write_json
from facegan.metrics.card import summarise
from facegan.metrics.table import HEADLINES, METRICS
from facegan.report.study_text import result_lines
from facegan.study.analysis.effect_records import MissingRun
from facegan.study.analysis.effects import analyse_metric
from facegan.study.conclusions.summary import summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.budgets import finish_all
from tests.facegan.study.planted import METRIC, runs_of, simulate
from tests.known import known
from tests.planning import PLANNED_DATA


def test_effects_are_computed_from_the_files_of_the_study_folder(tiny: Config, tmp_path: Path) -> None:
    design = choose_design("factorial", tiny, factors=("pixel_space", "feature_space"))
    made = make_plan(
        tiny, design.arms, design="factorial", preset="demo", seeds=(0, 1, 2),
        data=PLANNED_DATA, commit="c", factors=design.factors,
    )  # fmt: skip
    open_study(tmp_path, made)
    values = simulate([a.levels for a in design.arms], 3, {"pixel_space": 0, "feature_space": 4}, np.random.default_rng(19))
    clips = [f"5{c:02d}" for c in range(12)]
    for i, trial in enumerate(made.trials[:-1]):
        folder = trial_folder(tmp_path, trial)
        folder.write_state("COMPLETED", images=8, seconds=1.0, passes={})
        write_json(folder.path / "scores.json", summarise(dict.fromkeys(METRICS, values[i]), clips))
    reason = "loss/pixel is not finite within the first 8 images"
    trial_folder(tmp_path, made.trials[-1]).write_state("DIVERGED", images=8, seconds=1.0, passes={}, error=reason)
    summary = summarise_study(tmp_path, read_plan(tmp_path), None)
    write_json(tmp_path / "summary.json", summary)
    found = known(summary.effects)
    assert found.factors == ("pixel_space", "feature_space") and set(found.metrics) == set(HEADLINES)
    rows = [a.levels for a in design.arms]
    expected = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values, absent=(11,)), rows)
    assert [e.estimate for e in found.metrics[METRIC].effects] == pytest.approx([e.estimate for e in expected.effects])
    assert found.metrics[METRIC].missing == (MissingRun("full", 2, "DIVERGED", ""),)
    assert [line.split() for line in result_lines(summary) if line.startswith("  DIVERGED")] == [
        f"DIVERGED Full seed 2, which has no scores: {reason}".split()
    ]
    assert [c.claim for c in summary.claims] == ["feature_following", "pixel_copying", "feature_over_pixel", "synergy"]


def test_a_summary_of_a_study_without_factors_has_no_effects(tiny: Config, tmp_path: Path) -> None:
    made = make_plan(
        tiny, choose_design("figure2", tiny).arms, design="figure2", preset="demo", seeds=(0,),
        data=PLANNED_DATA, commit="c",
    )  # fmt: skip
    assert summarise_study(tmp_path, made, None).effects is None


@pytest.mark.slow
def test_the_summary_describes_the_budget_and_the_images_reached(flops_plan: Plan, seconds_plan: Plan, tmp_path: Path) -> None:
    finish_all(tmp_path / "seconds", seconds_plan)
    study = summarise_study(tmp_path / "seconds", seconds_plan).study
    assert study.budget.kind == "seconds"
    assert study.budget.amount == "2.5 s of training (24 to 80 images reached)"
    assert study.images == 80
    study = summarise_study(tmp_path / "flops", flops_plan).study
    assert study.budget.amount.endswith(f"GFLOP of training (32 to {max(t.config.images for t in flops_plan.trials)} images)")

"""A factorial study with planted scores."""

from pathlib import Path
from typing import Any

import numpy as np

from facegan.config import Config
from facegan.files import write_json
from facegan.metrics.card import Card, Scores, summarise
from facegan.metrics.table import METRICS, PROBES
from facegan.records import read_record
from facegan.report.page import write_report
from facegan.study.analysis.effect_records import StudyEffects
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA

CLIPS = [f"{500 + i}" for i in range(12)]


PIXEL, FEATURE, BOTH = 0.2, 0.5, -0.1


def card(trial: Trial, levels: dict[str, int]) -> Card:
    """A card whose identity has the main effects PIXEL and FEATURE, and the interaction BOTH."""
    rng = np.random.default_rng([trial.seed, *trial.arm.encode()])
    p, f = [*levels.values(), 1, 1][:2]
    value = 0.9 + (PIXEL * p + FEATURE * f + BOTH * p * f) / 2 + rng.normal(0, 0.002)
    scores: Scores = {metric: np.full(len(CLIPS), 0.5) + rng.normal(0, 0.01, len(CLIPS)) for metric in METRICS}
    scores |= {metric: np.ones(len(CLIPS)) for metric in ("faces_found", *PROBES)}
    scores["identity_kept"] = value + np.linspace(-0.02, 0.02, len(CLIPS)) + rng.normal(0, 0.001, len(CLIPS))
    return summarise(scores, CLIPS)


def factorial_study(root: Path, config: Config, done: float = 1.0, **design: Any) -> tuple[Plan, Summary]:
    """A study folder with its report, in which a share `done` of the trials is complete, in the run order of the plan."""
    named = {"factors": ("pixel_space", "feature_space")} | design
    chosen = choose_design(named.pop("name", "factorial"), config, **named)
    data = PLANNED_DATA
    plan = make_plan(
        config,
        chosen.arms,
        design=chosen.name,
        preset="demo",
        seeds=(0, 1, 2, 3, 4, 5),
        data=data,
        commit="",
        factors=chosen.factors,
    )
    open_study(root, plan)
    order = plan.run_order()
    levels = {arm.name: arm.levels for arm in plan.arms}
    for trial in order[: round(len(order) * done)]:
        folder = trial_folder(root, trial)
        folder.write_state("COMPLETED", images=32, seconds=2.0, passes={"generator": 128})
        folder.append_row(MetricsRow(32, 2.0, 0.0, {"gradient_share/pixel": 0.25, "loss/pixel": 1.0}))
        folder.write_scores(card(trial, levels[trial.arm]))
    write_json(root / "summary.json", summarise_study(root, plan, {}))
    summary = read_record(Summary, root / "summary.json", "")
    assert summary is not None
    write_report(root, summary, config)
    return plan, summary


def effects_of(summary: Summary) -> StudyEffects:
    assert summary.effects is not None
    return summary.effects

"""Scores as lines of text: reference rows first, dashes where nothing was measured."""

from dataclasses import replace
from pathlib import Path

from facegan.config import Config
from facegan.metrics.table import METRICS
from facegan.report.score_table import study_table
from facegan.study.conclusions.summary import summarise_study
from tests.facegan.study.planted_study import REFERENCES, finish_trial, make_study, planted_card


def test_the_table_of_a_study_has_references_first_and_dashes_for_arms_without_scores(tiny: Config, tmp_path: Path) -> None:
    plan = make_study(tmp_path, tiny)
    finish_trial(tmp_path, plan.trials[0], planted_card(22.0, 0.15, 0.4))
    summary = summarise_study(tmp_path, plan, REFERENCES)
    head, *lines = study_table(summary)
    shown = [name for name, metric in METRICS.items() if metric.console]
    assert [name in head for name in ("face error", "landmark error", "ssim")] == [True] * 3
    assert [line[:17].strip() for line in lines] == ["real target", "source copied", *(arm.label for arm in plan.arms)]
    means = [summary.arms[0].scores[metric].mean for metric in shown]
    assert lines[2][17:].split() == [f"{mean:.{METRICS[m].digits}f}" for m, mean in zip(shown, means, strict=True)]
    assert lines[3][17:].split() == ["-"] * len(shown)


def test_a_long_label_shifts_all_columns(tiny: Config, tmp_path: Path) -> None:
    plan = make_study(tmp_path, tiny)
    long = "without self_consistency+triple_consistency+perceptual"
    plan = replace(plan, arms=(replace(plan.arms[0], label=long), *plan.arms[1:]))
    finish_trial(tmp_path, plan.trials[0], planted_card(22.0, 0.15, 0.4))
    lines = study_table(summarise_study(tmp_path, plan, REFERENCES))
    assert len({len(line) for line in lines}) == 1
    assert any(line.startswith(f"  {long} ") for line in lines)

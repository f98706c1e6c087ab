"""The scores of an arm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.metrics.card import CategorySummary, MetricSummary
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.conclusions.arms import runs_of_metric
from facegan.study.conclusions.summary import summarise_study
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import CLIPS, REFERENCES, finish_trial, make_study, planted_card


def test_scores_of_an_arm_are_means_over_its_seeds(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[1, 2, 3])
    chosen = [t for t in plan.trials if t.arm == "full"][:2]
    for trial, face_error in zip(chosen, (20, 30), strict=True):
        finish_trial(tmp_path, trial, planted_card(face_error, 0.1, 0.3), face_error=9.0)
    arm = summarise_study(tmp_path, plan, REFERENCES).arms[3]
    assert arm.scored == tuple(t.key for t in chosen)
    assert arm.trials_completed == 2
    expected = np.mean([trial_folder(tmp_path, t).scores()["face_error"].mean for t in chosen])  # type: ignore[index, arg-type]
    assert arm.scores["face_error"].mean == pytest.approx(expected)
    assert shown_trials(plan, tmp_path) == {"full": chosen[0]}


def test_intervals_resample_people_not_their_clips(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    for trial in plan.trials:
        finish_trial(tmp_path, trial, planted_card(20, 0.1, 0.3, seed=3))
    alone = summarise_study(tmp_path, plan, REFERENCES)
    assert alone == summarise_study(tmp_path, plan, REFERENCES, people={clip: f"person {clip}" for clip in CLIPS})
    # Six people with two clips that are much alike, and twelve clips of people who differ, do not tell equally much.
    pairs = summarise_study(tmp_path, plan, REFERENCES, people={clip: f"{i // 2}" for i, clip in enumerate(CLIPS)})
    for found, by_clip in zip(pairs.arms, alone.arms, strict=True):
        pooled, single = (arm.scores["face_error"] for arm in (found, by_clip))
        assert pooled.mean == single.mean
        assert _width(pooled.interval) > 1.1 * _width(single.interval)
        compared, before = (arm.against_copied_source["face_error"] for arm in (found, by_clip))
        assert compared.difference == before.difference
        assert compared.interval != before.interval


def test_effects_are_over_people(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    card = planted_card(20, 0.1, 0.3)
    for trial in plan.trials:
        finish_trial(tmp_path, trial, card)
    people = {clip: f"{i // 2}" for i, clip in enumerate(CLIPS)}
    runs = runs_of_metric(tmp_path, plan, "face_error", {t.key: card for t in plan.trials}, people)
    values = [card["face_error"].clips[clip] for clip in CLIPS]
    assert runs[0].clips == {f"{i}": pytest.approx(np.mean(values[2 * i : 2 * i + 2])) for i in range(6)}  # type: ignore[arg-type]


def test_an_arm_says_why_a_metric_was_not_measured(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    card = planted_card(20, 0.1, 0.3)
    absent = MetricSummary(None, None, dict.fromkeys(CLIPS), note="weights missing")
    finish_trial(tmp_path, plan.trials[0], card | {"lpips": absent})
    found = summarise_study(tmp_path, plan, REFERENCES).arms[0].scores
    assert (found["lpips"].mean, found["lpips"].interval, found["lpips"].note) == (None, None, "weights missing")
    assert found["face_error"].mean is not None and found["face_error"].note == ""


def _width(interval: tuple[float, float] | None) -> float:
    assert interval is not None
    return interval[1] - interval[0]


def test_pairs_with_a_large_change_of_pose_are_averaged_over_the_seeds(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[0, 1])
    for trial, mean in zip((t for t in plan.trials if t.arm == "full"), (0.2, 0.4), strict=True):
        card = planted_card(20, 0.1, 0.4)
        finish_trial(
            tmp_path, trial, card | {"face_error": replace(card["face_error"], large_pose=CategorySummary(mean, None, 12))}
        )
    scores = summarise_study(tmp_path, plan).arms[-1].scores
    assert scores["face_error"].large_pose == pytest.approx(0.3) and scores["ssim"].large_pose is None

"""Study folders with planted scores, for tests of conclusions and figures."""

from pathlib import Path
from typing import Any

import numpy as np

from facegan.config import Config
from facegan.metrics.card import Card, Scores, summarise
from facegan.metrics.table import METRICS
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA

CLIPS = [f"{500 + i}" for i in range(12)]


def planted_card(face_error: float, landmark_error: float, likeness: float, seed: int = 0, following: float = 0.9) -> Card:
    """A metric card of twelve clips with about the given means. Clips differ by more than cards of one clip do."""
    hard = np.linspace(-5, 5, len(CLIPS))
    noise = np.random.default_rng(seed).normal(0, 0.3, len(CLIPS))
    scores: Scores = {metric: np.full(len(CLIPS), 0.9) for metric in METRICS}
    scores["target_following"] = np.full(len(CLIPS), following)
    scores["face_error"] = face_error + hard + noise
    scores["landmark_error"] = landmark_error + 0.01 * (hard + noise)
    scores["source_likeness"] = likeness + 0.01 * noise
    return summarise(scores, CLIPS)


REFERENCES = {"real target": planted_card(0, 0.08, 0.0), "source copied": planted_card(29, 0.25, 1.0)}


def make_study(root: Path, config: Config, **options: Any) -> Plan:
    """A study folder with a plan of the arms of Figure 2."""
    named: dict[str, Any] = {"design": "figure2", "preset": "demo", "commit": "<abc>", "data": PLANNED_DATA}
    named |= {"seeds": [0]} | options
    plan = make_plan(config, choose_design("figure2", Config()).arms, **named)
    open_study(root, plan)
    return plan


def finish_trial(root: Path, trial: Trial, card: Card | None = None, face_error: float | None = None) -> None:
    """Write the files of a completed trial."""
    folder = trial_folder(root, trial)
    folder.write_state("COMPLETED", images=32, seconds=2.0, passes={"generator": 128, "discriminator": 96, "vgg": 64})
    if card:
        folder.write_scores(card)
    if face_error is not None:
        folder.checkpoint.mkdir()
        folder.append_row(MetricsRow(32, 2.0, 0.0, {"validation/selection_score": face_error}))

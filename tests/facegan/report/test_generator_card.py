"""The card of a registered generator: the terms of its data, and its scores beside those of the reference rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.report.generator_card import card_text, generator_card
from facegan.study.conclusions.summary import summarise_study
from tests.facegan.study.planted_study import REFERENCES, finish_trial, make_study, planted_card


@pytest.mark.parametrize(
    ("synthetic", "said", "not_said"),
    [(True, "no terms of a data set apply", "research use only"), (False, "for research use only", "licence of facegan (MIT)")],
)
def test_the_card_tells_the_terms_of_its_data(synthetic: bool, said: str, not_said: str, tiny: Config, tmp_path: Path) -> None:
    plan = make_study(tmp_path, tiny)
    for trial in plan.trials:
        finish_trial(tmp_path, trial, planted_card(20, 0.1, 0.4, following=0.75))
    summary = summarise_study(tmp_path, plan, REFERENCES)
    summary = replace(summary, data=replace(summary.data, synthetic=synthetic))
    card = generator_card(tmp_path, plan.trials[0], summary, 0.0123)
    text = card_text(card, "a-model", 64)
    assert said in text and not_said not in text + card.tags["data_terms"]
    assert ("rendered" in card.tags["faces"]) == synthetic
    assert "| target_following | 0.75 (0.75 to 0.75) | 0.9 |" in text
    assert "models:/a-model/<version>" in text and "[1, 3, 64, 64]" in text and "0.012 grey levels" in text

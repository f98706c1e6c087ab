"""Studies that grow until they are answered."""

from dataclasses import replace

import pytest

from facegan.config import Config
from facegan.study.conclusions.claim_records import NOT_ESTIMABLE, REFUSED, TOO_FEW, UNDECIDED, ClaimAnswer, ClaimConclusion
from facegan.study.conclusions.next_look import seeds_of_next_look
from facegan.study.design.analysis_plan import default_analysis
from tests.facegan.study.design.designs import figure2_plan


@pytest.mark.parametrize(
    ("seeds", "answers", "following"),
    [
        ((0, 1, 2), (UNDECIDED, "yes"), (0, 1, 2, 3, 4)),
        ((0, 1, 2), (TOO_FEW, NOT_ESTIMABLE), (0, 1, 2, 3, 4)),
        ((0, 1, 2), ("no", "equivalent"), ()),
        ((0, 1, 2), ("yes", NOT_ESTIMABLE), ()),
        ((0, 1, 2), ("yes", REFUSED), ()),
        ((0, 1, 2, 3, 4), (UNDECIDED, UNDECIDED), ()),
        ((0, 1, 7), (UNDECIDED, UNDECIDED), (0, 1, 7, 2, 3)),
        ((0, 1, 2, 3), (UNDECIDED, UNDECIDED), (0, 1, 2, 3, 4)),
    ],
)
def test_it_goes_on_while_a_claim_is_open_and_a_look_is_left(
    seeds: tuple[int, ...], answers: tuple[ClaimAnswer, ...], following: tuple[int, ...], tiny: Config
) -> None:
    plan = figure2_plan(tiny, seeds=seeds, analysis=default_analysis((3, 5)))
    claims = [ClaimConclusion(str(i), "", "", answer, "") for i, answer in enumerate(answers)]
    assert seeds_of_next_look(plan, claims) == following
    assert seeds_of_next_look(replace(plan, analysis=default_analysis()), claims) == (), "a study without looks is done"

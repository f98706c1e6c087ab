"""The effects of a factorial study on the page: numbers, incomplete studies, aliases, stand-in metrics."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facegan.config import Config
from facegan.metrics.card import MetricSummary
from facegan.report.page import write_report
from facegan.study.conclusions.arms import ScoreSummary
from facegan.study.conclusions.summary import summarise_study
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.report.factorial_study import CLIPS, FEATURE, PIXEL, effects_of, factorial_study
from tests.facegan.study.planted_study import finish_trial, planted_card


def numbers(value: Any) -> Iterator[float]:
    """All numbers of a JSON value."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield float(value)


def test_every_number_on_the_page_is_in_the_summary(tiny: Config, tmp_path: Path) -> None:
    _, summary = factorial_study(tmp_path, tiny)
    page = (tmp_path / "report.html").read_text()
    shown = [float(value) for value in re.findall(r'<data value="([^"]+)">', page)]
    known = set(numbers(json.loads((tmp_path / "summary.json").read_text())))
    assert len(shown) > 150
    assert not [value for value in shown if value not in known]
    effects = {e.name: e for e in effects_of(summary).metrics["identity_kept"].effects}
    assert effects["pixel_space"].estimate == pytest.approx(PIXEL, abs=0.005)
    assert effects["feature_space"].estimate == pytest.approx(FEATURE, abs=0.005)
    answers = {(row.factor, row.metric): row.answer for row in summary.answers}
    assert answers["feature_space", "identity_kept"] == "helps"
    assert page.index("Do feature-space terms matter more") < page.index('id="effects"') < page.index('id="scores"')
    answers_to_identity = [claim.answer for claim in summary.claims if claim.metric == "identity_kept"]
    assert answers_to_identity == ["yes", "no"]


def test_an_arm_outside_of_the_design_that_copies_limits_no_claim(tiny: Config, tmp_path: Path) -> None:
    plan, summary = factorial_study(tmp_path, tiny)
    arms = (*plan.arms, replace(plan.arms[0], name="other", label="Other", levels={}))
    trials = (
        *plan.trials,
        *(replace(t, arm="other", key=f"other-{t.seed}") for t in plan.trials if t.arm == plan.arms[0].name),
    )
    for trial in trials[len(plan.trials) :]:
        finish_trial(tmp_path, trial, planted_card(29, 0.25, 1.0, following=0.0))
    with_copy = summarise_study(tmp_path, replace(plan, arms=arms, trials=trials), {})
    assert [caveat.kind for caveat in with_copy.arms[-1].caveats] == ["copy"]
    assert with_copy.claims == summary.claims and "yes" in [claim.answer for claim in summary.claims]


def test_the_page_says_where_the_scatter_comes_from(tiny: Config, tmp_path: Path) -> None:
    factorial_study(tmp_path, tiny)
    table = re.findall(r'<table id="variance">.*?</table>', (tmp_path / "report.html").read_text(), re.S)[0]
    rows = {
        name: [int(n) for n in re.findall(r"<td>(\d+)</td>", cells)]
        for name, cells in re.findall(r"row.>(.*?)</th>(.*)", table)
    }
    assert list(rows) == ["target following", "identity kept", "face error", "landmark error"]
    assert all(len(shares) == 5 and abs(sum(shares) - 100) <= 2 for shares in rows.values())
    # Of identity only the people were planted to differ by much, in all arms alike.
    assert rows["identity kept"][2] > 80
    assert max(rows["face error"]) == rows["face error"][4]


def test_incomplete_studies_list_effects_that_cannot_be_estimated(tiny: Config, tmp_path: Path) -> None:
    _, summary = factorial_study(tmp_path, tiny, done=0.125)
    page = (tmp_path / "report.html").read_text()
    assert "Effects that these runs cannot estimate" in page
    assert {row.answer for row in summary.answers} <= {"too few runs"}
    assert "9 runs compared" not in page
    assert page.count("PENDING") >= 9
    _, empty = factorial_study(tmp_path / "empty", tiny, done=0)
    assert empty.answers == ()
    assert "Nothing has been evaluated yet" in (tmp_path / "empty" / "report.html").read_text()


def test_aliased_interactions_are_always_shown_with_their_alias(tiny: Config, tmp_path: Path) -> None:
    factors = ("pixel", "self_consistency", "triple_consistency", "perceptual")
    _, summary = factorial_study(tmp_path, tiny, name="fraction", factors=factors, size="half")
    page = re.sub(r"\s+", " ", (tmp_path / "report.html").read_text())
    effects = effects_of(summary).metrics["identity_kept"].effects
    pairs = [effect for effect in effects if effect.order == 2]
    assert pairs
    assert all(len(effect.members) == 2 for effect in pairs)
    for effect in pairs:
        first, second = (" x ".join(word).replace("_", " ") for word in effect.members)
        for place in re.finditer(re.escape(first), page):
            assert second in page[max(0, place.start() - 90) : place.end() + 90], effect.name


def test_each_claim_has_one_answer_and_the_budget_is_at_the_top(tiny: Config, tmp_path: Path) -> None:
    _, summary = factorial_study(tmp_path, tiny, done=0.125)
    page = re.sub(r"<[^>]+>", "", (tmp_path / "report.html").read_text())
    claims = page[page.index("Do feature-space terms help") : page.index("Does each arm follow the target")].lower()
    assert summary.claims[0].answer == "too few runs"
    assert claims.count("too few runs") == len(summary.claims)
    assert page.index("training runs of 32 images") < page.index("Do feature-space terms help")


def test_a_metric_without_weights_shows_the_command_that_measures_it(tiny: Config, tmp_path: Path) -> None:
    _, summary = factorial_study(tmp_path, tiny)
    missing = ScoreSummary(None, None, "not measured: weights missing (--evaluators.lpips_weights)")
    first = replace(summary.arms[0], scores=summary.arms[0].scores | {"lpips": missing})
    write_report(tmp_path, replace(summary, arms=(first, *summary.arms[1:])), tiny)
    page = (tmp_path / "report.html").read_text()
    command = f"python jobs/evaluate.py --checkpoint {tmp_path} --evaluators.lpips_weights FILE"
    assert command in page and "--evaluators.kid_weights" not in page


def test_the_page_explains_a_replaced_headline_metric(tiny: Config, tmp_path: Path) -> None:
    plan, _ = factorial_study(tmp_path, tiny)
    for trial in (t for t in plan.trials if t.arm == "base"):
        folder = trial_folder(tmp_path, trial)
        found = folder.scores()
        assert found is not None
        folder.write_scores(found | {"landmark_error": MetricSummary(None, None, dict.fromkeys(CLIPS))})
    summary = summarise_study(tmp_path, plan, {})
    write_report(tmp_path, summary, tiny)
    page = (tmp_path / "report.html").read_text()
    assert "landmark_error" not in effects_of(summary).metrics
    assert page.count("is analysed instead. The landmark error stays in the table of scores") == 1
    assert "landmark area up to 0.08 (no face counts as failure)" in page[page.index("Effects of the factors") :]
    assert "(if no interactions)" not in page
    assert "landmark error" in page[page.index('id="card"') :]


def test_only_a_plane_with_arrows_has_a_second_panel(tiny: Config, tmp_path: Path) -> None:
    """Also for those who hear the page; the panel alone is not stretched over the width of two."""
    _, summary = factorial_study(tmp_path, tiny)
    (tmp_path / "plane.png").write_bytes(b"image")
    plane = summary.plane
    assert plane and plane.arrows
    for shown, has_arrows in ((plane, True), (replace(plane, arrows=()), False), (None, False)):
        write_report(tmp_path, replace(summary, plane=shown), tiny)
        text = (tmp_path / "report.html").read_text()
        figure = re.findall(r'<figure class="plane.*?</figure>', text, re.S)[0]
        assert figure.count("First panel") == figure.count("Second panel") == 2 * has_arrows
        assert ('class="plane single"' in figure) != has_arrows and "how far the found landmarks went" in figure

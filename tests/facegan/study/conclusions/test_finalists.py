"""The finalists of a search: which arms are trained again, and what is said of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.report.page import write_report
from facegan.report.search_figure import search_figure
from facegan.study.conclusions.finalists import arms_of_finalists
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.study.search.results import SEARCH, SearchResult, summarise_search
from tests.facegan.study.design.designs import design
from tests.facegan.study.planted_study import REFERENCES, finish_trial, planted_card
from tests.facegan.study.search.planted_search import planted_search
from tests.known import known
from tests.planning import PLANNED_DATA


def searched(root: Path, config: Config, finalists: int = 1) -> tuple[Plan, SearchResult]:
    plan = planted_search(root / "candidates", config)
    plan = replace(plan, search=replace(known(plan.search), finalists=finalists))
    return plan, summarise_search(plan, root / "candidates")


def finalists_study(root: Path, config: Config, copying: str = "") -> tuple[Plan, Summary]:
    """The finalists of the planted search with three seeds. Tuned is 3 better in face error, 0.1 worse than the search said.

    The arm `copying` copies the source.
    """
    plan, found = searched(root, config)
    arms = arms_of_finalists(found, plan.arms)
    factors = design("figure2", names=("full", "no_pixel")).factors
    named = {"design": "figure2", "preset": "demo", "seeds": (1, 2, 3), "data": PLANNED_DATA, "commit": "", "factors": factors}
    again = make_plan(config, arms, **named)  # type: ignore[arg-type]
    open_study(root / "study", again)
    write_json(root / "study" / SEARCH, found)
    for trial in again.trials:
        tuned = trial.arm.endswith("_tuned")
        error, score = (20.0, 0.85) if tuned else (23.0, 0.6 if trial.arm == "no_pixel" else 1.2)
        following = 0.1 if trial.arm == copying else 0.9
        card = planted_card(error + 0.1 * trial.seed, 0.1, 0.3, trial.seed, following)
        finish_trial(root / "study", trial, card)
        row = {"validation/selection_score": score + 0.01 * trial.seed}
        trial_folder(root / "study", trial).append_row(MetricsRow(32, 2.0, 0.0, row))
    return again, summarise_study(root / "study", again, REFERENCES)


def test_tuned_arms_take_the_levels_and_the_configured_ones_stay_beside_them(tiny: Config, tmp_path: Path) -> None:
    plan, found = searched(tmp_path, tiny)
    arms = {arm.name: arm for arm in arms_of_finalists(found, plan.arms)}
    assert list(arms) == ["no_pixel", "full", "full_tuned"]
    assert arms["full"].levels == {} and arms["full"].changes == {}
    assert arms["full_tuned"].levels == {"consistency": 1, "pixel": 1, "feature_space": 1}
    assert arms["full_tuned"].changes == found.arms[1].candidates[2].values
    assert arms["no_pixel"].levels["pixel"] == -1 and not arms["no_pixel"].changes, "no candidate was better"
    two = arms_of_finalists(searched(tmp_path / "two", tiny, finalists=2)[1], plan.arms)
    assert [arm.label for arm in two] == ["-Pixel", "Full", "Full tuned 1", "Full tuned 2"]
    assert [bool(arm.levels) for arm in two] == [True, False, True, False]


def test_the_optimism_of_the_search_and_the_gain_over_the_configured_weights(tiny: Config, tmp_path: Path) -> None:
    _, summary = finalists_study(tmp_path, tiny)
    no_pixel, full = summary.finalists
    best, configured = full.finalists
    assert (best.arm, best.number, configured.arm, configured.number) == ("full_tuned", 2, "full", 0)
    assert best.again == pytest.approx((0.86, 0.87, 0.88)) and best.mean == pytest.approx(0.87)
    searched_score = (0.2**2 + 0.4**2) ** 0.5 + 0.3
    assert best.searched == pytest.approx(searched_score) and best.optimism == pytest.approx(0.87 - searched_score)
    assert best.interval is not None and best.interval == pytest.approx((0.87 - 0.0248, 0.87 + 0.0248), abs=1e-4)
    gain = next(gain for gain in full.gains if gain.metric == "face_error")
    assert gain.estimate == pytest.approx(-3.0, abs=0.2) and gain.answer == "helps"
    assert no_pixel.gains == () and [row.arm for row in no_pixel.finalists] == ["no_pixel"]


def test_a_score_of_fewer_images_is_no_promise(tiny: Config, tmp_path: Path) -> None:
    """The weights as configured were stopped early in the search, and are trained to the end beside the finalist."""
    again, _ = finalists_study(tmp_path, tiny)
    plan = read_plan(tmp_path / "candidates")
    configured = next(trial for trial in plan.trials if (trial.arm, trial.candidate) == ("full", 0))
    trial_folder(tmp_path / "candidates", configured).write_state("STOPPED", images=24, seconds=1.0, passes={})
    write_json(tmp_path / "study" / SEARCH, summarise_search(plan, tmp_path / "candidates"))
    summary = summarise_study(tmp_path / "study", again, REFERENCES)
    best, beside = summary.finalists[1].finalists
    assert best.optimism is not None and (beside.number, beside.searched, beside.optimism) == (0, None, None)
    write_report(tmp_path / "study", summary, tiny)
    assert "<td>stopped early</td>" in (tmp_path / "study" / "report.html").read_text()


def test_effects_are_those_between_arms_at_their_best_values(tiny: Config, tmp_path: Path) -> None:
    _, summary = finalists_study(tmp_path, tiny)
    assert summary.effects is not None
    found = summary.effects.metrics["face_error"]
    assert found.planned == 6, "the configured weights of a tuned arm are in no effect"
    assert [round(effect.estimate) for effect in found.effects if effect.name.startswith("pixel")] == [-3]


def test_a_configured_arm_that_copies_limits_nothing_where_its_tuned_arm_is_analysed(tiny: Config, tmp_path: Path) -> None:
    for copying in ("full", "full_tuned"):
        _, summary = finalists_study(tmp_path / copying, tiny, copying)
        assert [arm.name for arm in summary.arms if any(c.kind == "copy" for c in arm.caveats)] == [copying]
        write_report(tmp_path / copying / "study", summary, tiny)
        page = (tmp_path / copying / "study" / "report.html").read_text()
        assert (
            "over all seeds and all arms but\nFull: of each arm only the best candidate of the search counts. An interaction"
            in page
        )
        assert ("copies the source. The identity of a copy" in page) == (copying == "full_tuned")


def test_the_report_shows_the_search(tiny: Config, tmp_path: Path) -> None:
    _, summary = finalists_study(tmp_path, tiny)
    assert summary.search is not None
    search_figure(summary.search).savefig(tmp_path / "study" / "search.png")
    write_report(tmp_path / "study", summary, tiny)
    page = (tmp_path / "study" / "report.html").read_text()
    section = page[page.index('<h2 id="search">') : page.index('<h2 id="faces">')]
    for text in (
        "Full tuned",
        "as configured",
        "promised too much by",
        "better; the tuned values change it",
        "rung",
        "STOPPED",
    ):
        assert text in section or text == "rung", text
    assert "No candidate that trained to the end was a better compromise" in section
    assert "936 of 1,728 images trained" in section


def test_a_result_with_other_arms_than_the_study_is_refused(tiny: Config, tmp_path: Path) -> None:
    plan, found = searched(tmp_path, tiny)
    other = replace(found, arms=(replace(found.arms[0], arm="other"), found.arms[1]))
    with pytest.raises(UserError, match=r"search.json lacks the arm 'no_pixel': remove it"):
        arms_of_finalists(other, plan.arms)
    again, _ = finalists_study(tmp_path / "again", tiny)
    write_json(tmp_path / "again" / "study" / SEARCH, other)
    with pytest.raises(UserError, match=r"names the arm 'other', which the study does not have; run jobs/search.py again"):
        summarise_study(tmp_path / "again" / "study", again, REFERENCES)

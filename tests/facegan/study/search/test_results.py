"""search.json: what is said of each candidate, rung and arm."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import read_json, write_json
from facegan.records import from_json
from facegan.report.search_text import markdown_search, search_lines
from facegan.study.cost.spending import Forecast, Spending, write_spending
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.study.search.objectives import measured
from facegan.study.search.results import SearchResult, summarise_search, told
from tests.facegan.study.search.planted_search import RUNGS, candidates_plan, plant, planted_search
from tests.known import known


def test_the_front_the_finalist_and_the_hypervolume_of_each_arm(tiny: Config, tmp_path: Path) -> None:
    plan = planted_search(tmp_path, tiny)
    found = summarise_search(plan, tmp_path)
    full = next(arm for arm in found.arms if arm.arm == "full")
    assert [c.is_on_front for c in full.candidates] == [False, False, True, True], "0 is dominated by 2, 1 was stopped"
    assert [c.is_finalist for c in full.candidates] == [False, False, True, False], "the best compromise"
    assert full.candidates[0].values == {} and set(full.candidates[2].values) == {"loss.pixel", "optim.generator_lr"}
    # The boxes of (0.2, 0.4, 0.3) and (0.6, 0.1, 0.4), less what both contain.
    assert full.hypervolume == pytest.approx(0.8 * 0.6 * 0.7 + 0.4 * 0.9 * 0.6 - 0.4 * 0.6 * 0.6)
    assert found.images == 4 * 216 + 3 * 24 and found.planned_images == 8 * 216
    settings = known(plan.search)
    for count, finalists in ((2, [False, False, True, True]), (3, [True, False, True, True])):
        more = summarise_search(replace(plan, search=replace(settings, finalists=count)), tmp_path)
        assert [c.is_finalist for c in more.arms[-1].candidates] == finalists, "then those that only the front dominates"
    assert not any("fewer" in line for line in search_lines(found))
    assert "         Of 3 finalists of each arm there are fewer, because no more candidates trained to the end: -Pixel 1." in (
        search_lines(more)
    )
    write_json(tmp_path / "search.json", found)
    assert from_json(SearchResult, read_json(tmp_path / "search.json")) == found


def test_an_arm_over_the_values_that_it_has(tiny: Config, tmp_path: Path) -> None:
    found = {arm.arm: arm for arm in summarise_search(planted_search(tmp_path, tiny), tmp_path).arms}
    assert set(found["no_pixel"].candidates[1].values) == {"optim.generator_lr"}
    assert found["no_pixel"].candidates[0].is_finalist and found["no_pixel"].candidates[3].last is None


def test_rank_correlations_are_over_those_that_went_on(tiny: Config, tmp_path: Path) -> None:
    plan = candidates_plan(tiny, "full", candidates=6)
    first, then = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.1, 0.2, 0.3, 0.5, 0.4)
    for trial in plan.trials:
        here = [(value, value, value) for value in (first[trial.candidate], *then[trial.candidate : trial.candidate + 1])]
        plant(tmp_path, trial, *here, state="STOPPED")
    found = summarise_search(plan, tmp_path).arms[0]
    one, two, three = found.rungs
    assert (one.images, one.judged, one.went_on, one.pairs) == (RUNGS[0], 6, 5, 5)
    assert one.rank_correlation == pytest.approx(0.9)
    assert (two.judged, two.went_on, two.pairs, two.rank_correlation) == (5, 0, 0, None)
    assert three.judged == 0 and found.hypervolume == 0
    assert not any(c.is_finalist or c.is_on_front for c in found.candidates), "nobody trained to the end"


def test_a_sampler_is_told_the_last_distances_and_who_diverged(tiny: Config, tmp_path: Path) -> None:
    plan = planted_search(tmp_path, tiny)
    arms = {arm.name: arm for arm in plan.arms}
    found = told(plan, tmp_path, arms["no_pixel"])
    assert [None if each.distances is None else [round(d, 6) for d in each.distances] for each in found] == [
        [0.3] * 3,
        [0.95] * 3,
        [0.95] * 3,
        None,
    ]
    assert found[1].values == {
        "optim.generator_lr": plan.trials[[t.arm for t in plan.trials].index("no_pixel") + 1].config.optim.generator_lr
    }


def test_the_console_names_cost_candidates_and_rungs(tiny: Config, tmp_path: Path) -> None:
    text = "\n".join(search_lines(summarise_search(planted_search(tmp_path, tiny), tmp_path)))
    assert (
        "4 candidates for each of 2 arms, sampler random: 936 of 1,728 images trained (54%), 3 candidates stopped early" in text
    )
    assert "The search took" not in text, "no job has noted what it took"
    full = text[text.index("Full:") :]
    numbers = [line.split()[5] for line in full.splitlines()[2:6]]
    assert numbers == ["2", "3", "0", "1"], "the best first, then those that were stopped"
    assert "as configured" in full and "(finalist)" in full and "(STOPPED, does not follow)" in full
    assert "rung 24 images: 3 of 4 went on" in text and "too few of them" in text
    assert "not begun" not in text


def test_the_console_shows_some_of_many_candidates(tiny: Config, tmp_path: Path) -> None:
    found = summarise_search(planted_search(tmp_path, tiny), tmp_path)
    (arm, *_) = found.arms
    ended, *_ = [candidate for candidate in arm.candidates if candidate.state == "COMPLETED"]
    stopped = next(candidate for candidate in arm.candidates if candidate.state == "STOPPED")
    for whole, shown in ((1, 12), (13, 13)):
        many = (*[ended] * whole, *[stopped] * 20)
        lines = search_lines(replace(found, arms=(replace(arm, candidates=many),)))
        rows = [line for line in lines if "as configured" in line or "generator_lr" in line]
        assert len(rows) == shown
        assert f"  not shown: {whole + 20 - shown} with fewer images or worse scores (see jobs/status.py --json True)" in lines


def test_the_note_of_a_search_names_its_finalists_and_rungs_not_each_candidate(tiny: Config, tmp_path: Path) -> None:
    note = markdown_search(summarise_search(planted_search(tmp_path, tiny), tmp_path)).splitlines()
    assert note[0].startswith("- 4 candidates for each of 2 arms") and all(line.startswith("- ") for line in note)
    (finalist,) = (line for line in note if "- Full, finalist" in line)
    assert finalist.startswith("- Full, finalist 2: ") and "; score 0." in finalist
    assert any(line.startswith("- Full, rung 24 images: 3 of 4 went on") for line in note)


def test_what_a_search_took_is_told_beside_what_was_expected(tiny: Config, tmp_path: Path) -> None:
    plan = planted_search(tmp_path, tiny)
    forecast = Forecast(8, 120.0, 0.5, "by hand", 1000.4)
    for written, text in (
        (
            Spending(90.0, 0.4, forecast=forecast),
            "took 1 min 30 s, $0.40; expected before: 1,000 images, 2 min 0 s, $0.50, by hand; actual over expected 0.75.",
        ),
        (Spending(90.0), "took 1 min 30 s."),
    ):
        write_spending(tmp_path, written)
        assert f"         The search {text}" in search_lines(summarise_search(plan, tmp_path))


def test_what_a_limit_left_out_is_told(tiny: Config, tmp_path: Path) -> None:
    plan = planted_search(tmp_path, tiny)
    for number, state in ((1, "PAUSED"), (3, "RUNNING")):
        trial_folder(tmp_path, plan.trials[number]).write_state(state, images=24, seconds=1.0, passes={})  # type: ignore[arg-type]
    (trial_folder(tmp_path, plan.trials[6]).path / "state.json").unlink()
    write_spending(tmp_path, Spending(90.0, forecast=Forecast(8, 120.0, None, "by hand"), limit="--max_usd 2"))
    text = "\n".join(search_lines(summarise_search(plan, tmp_path)))
    assert "It ended at its limit, --max_usd 2: 7 of 8 candidates were begun, and 2 of them left before their end." in text
    assert "The same command does not search on" in text and "a higher limit" not in text
    assert text.count("\n  not begun: 1 of 4") == 1 and "PENDING" not in text
    assert "by hand." in text and "actual over" not in text, "a part is not compared with the whole"
    for trial in plan.trials:
        trial_folder(tmp_path, trial).write_state("PAUSED", images=24, seconds=1.0, passes={})
    text = "\n".join(search_lines(summarise_search(plan, tmp_path)))
    assert "The same command with a higher limit goes on." in text and "does not search on" not in text, "no finalist yet"


def test_a_copy_is_told_from_one_that_follows_and_a_row_without_a_score_says_nothing(tiny: Config, tmp_path: Path) -> None:
    row = {"validation/selection_score": 1.2, "validation/image_distance": 0.2, "validation/target_following": 0.2}
    found = measured(8, row)
    assert found is not None and not found.follows and found.distances == (0.8, 1.0, 0.2)
    assert measured(8, {"loss/pixel": 0.0}) is None
    beyond = measured(8, row | {"validation/target_following": 1.3, "validation/identity_kept": 1.1})
    assert beyond is not None and beyond.distances == pytest.approx((0.3, 0.0, 0.2)) and beyond.follows
    plan = candidates_plan(tiny, "full")
    trial_folder(tmp_path, plan.trials[0]).path.mkdir(parents=True)
    trial_folder(tmp_path, plan.trials[0]).append_row(MetricsRow(8, 1.0, 0.0, {"loss/pixel": 1.0}))
    assert summarise_search(plan, tmp_path).arms[0].candidates[0].last is None


def test_the_loss_would_choose_small_weights_and_the_distances_do_not(tiny: Config, tmp_path: Path) -> None:
    """A candidate whose weights go to zero has the least loss of all, whatever it draws."""
    plan = candidates_plan(tiny, "full", candidates=2)
    honest, trap = plan.trials
    plant(tmp_path, honest, *[(0.3, 0.3, 0.3)] * 4)
    plant(tmp_path, trap, *[(0.6, 0.6, 0.6)] * 4)
    for trial, loss in ((honest, 5.0), (trap, 0.001)):
        rows = trial_folder(tmp_path, trial).rows()
        trial_folder(tmp_path, trial).forget_rows_after(0)
        for row in rows:
            metrics = {**row.metrics, "loss/pixel": loss, "weighted/pixel": loss}
            trial_folder(tmp_path, trial).append_row(MetricsRow(row.images, row.seconds, row.time, metrics))
    (arm,) = summarise_search(plan, tmp_path).arms
    assert [candidate.is_finalist for candidate in arm.candidates] == [True, False]


@pytest.mark.parametrize("damage", [{"planned_images": 0, "images": 0}, {"images": -1}, {"images": 10**6}, {"arms": ()}])
def test_a_result_without_arms_or_with_impossible_images_is_refused(
    tiny: Config, tmp_path: Path, damage: dict[str, Any]
) -> None:
    found = summarise_search(planted_search(tmp_path, tiny), tmp_path)
    with pytest.raises(UserError, match="at least one arm and one planned image"):
        replace(found, **damage)

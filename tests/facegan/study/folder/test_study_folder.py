"""plan.json: written once, read back, refused where it does not belong."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.analysis_plan import PlanChange, default_analysis, looks_until
from facegan.study.design.plan import trial_key
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.design.designs import design, figure2_plan, plan_of


def test_a_plan_reads_back_equal(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path / "study", figure2_plan(tiny))
    open_study(tmp_path / "study", figure2_plan(tiny))
    assert read_plan(tmp_path / "study") == figure2_plan(tiny)


def test_plan_json_lists_factors_levels_aliases_and_run_order(tiny: Config, tmp_path: Path) -> None:
    styled = tiny.override({"loss.style": 1.0})
    made = plan_of(styled, design("fraction", config=styled, size="quarter"), (0, 1))
    open_study(tmp_path / "study", made)
    assert read_plan(tmp_path / "study") == made
    written = json.loads((tmp_path / "study" / "plan.json").read_text())
    assert written["plan"]["factors"][0] == {"name": "pixel", "terms": ["pixel"]}
    assert written["plan"]["arms"][-1]["levels"] == dict.fromkeys([f.name for f in made.factors], 1)
    assert "pixel x style" not in written["aliases"]["pixel x self_consistency"]
    assert "triple_consistency x identity" in written["aliases"]["pixel x self_consistency"]
    assert written["resolution"] == 4
    assert written["run_order"] == [t.key for t in made.run_order()]


def test_a_study_of_another_plan_is_refused(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path, figure2_plan(tiny))
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(UserError, match="another plan"):
        open_study(tmp_path, figure2_plan(tiny.override({"loss.pixel": 9.0})))
    assert (tmp_path / "plan.json").read_bytes() == before


def test_a_study_of_other_code_is_named_as_such(tiny: Config, tmp_path: Path) -> None:
    """Its arguments are the same, so it is no cure to give them."""
    plan, code = figure2_plan(tiny), "123456789abc"
    keys = [trial_key(trial.config, plan.vgg, plan.data, code, plan.budget) for trial in plan.trials]
    trials = tuple(replace(trial, key=key) for trial, key in zip(plan.trials, keys, strict=True))
    open_study(tmp_path, replace(plan, code=code, commit="abc1234", trials=trials))
    said = rf"planned with other code, {code} \(commit abc1234\), this is {plan.code}; go back to that code, or name another"
    with pytest.raises(UserError, match=said):
        open_study(tmp_path, plan)
    with pytest.raises(UserError, match="another plan"):
        open_study(tmp_path, figure2_plan(tiny.override({"loss.pixel": 9.0})))


def test_a_study_grows_by_seeds_and_keeps_every_trial(tiny: Config, tmp_path: Path) -> None:
    two, three = figure2_plan(tiny, seeds=(0, 1)), figure2_plan(tiny, seeds=(0, 1, 2))
    assert two.id() == three.id(), "the default folder of a study must not depend on its seeds"
    open_study(tmp_path, two)
    trial_folder(tmp_path, two.trials[0]).write_scores({})
    grown = open_study(tmp_path, three)
    assert grown.trials == three.trials and grown.trials[: len(two.trials)] == two.trials
    assert grown.changes == (PlanChange("seed 2 added", 1),)
    assert read_plan(tmp_path) == grown
    assert open_study(tmp_path, two) == grown, "the command of before finds the study as it is now"
    assert open_study(tmp_path, figure2_plan(tiny, seeds=(7,))).seeds == (0, 1, 2, 7)


def test_another_question_after_looking_is_noted_in_the_plan(tiny: Config, tmp_path: Path) -> None:
    made = figure2_plan(tiny)
    open_study(tmp_path, made)
    trial_folder(tmp_path, made.trials[3]).write_scores({})
    asked = replace(default_analysis(), smallest_effects={"ssim": 0.5})
    changed = open_study(tmp_path, figure2_plan(tiny, analysis=asked))
    assert changed.id() == made.id() and changed.analysis == asked and changed.analysis.digest() != made.analysis.digest()
    (note,) = changed.changes
    assert note.results_seen == 1 and note.what.startswith("analysis changed: smallest effects from {'target_following'")
    assert note.what.endswith("to {'ssim': 0.5}")


def test_seeds_added_at_planned_looks_are_no_change_of_the_plan(tiny: Config, tmp_path: Path) -> None:
    looks = default_analysis(looks_until(4))
    open_study(tmp_path, figure2_plan(tiny, seeds=(0, 1, 2), analysis=looks))
    assert open_study(tmp_path, figure2_plan(tiny, seeds=(0, 1, 2, 3), analysis=looks)).changes == ()


SEARCH_OF_NOTHING = {
    "space": [{"name": "loss.beauty", "low": 1.0, "high": 2.0, "choices": [], "is_integer": False}],
    "sampler": "random",
    "candidates": 4,
    "generation": 4,
    "finalists": 1,
}


def test_a_folder_with_other_files_is_refused(tiny: Config, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        open_study(tmp_path, figure2_plan(tiny))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda plan: plan["arms"][0]["levels"].popitem(), "levels of different factors"),
        (lambda plan: plan["arms"][0]["levels"].update(pixel=2), "level of 'pixel' is not 1 or -1"),
        (lambda plan: plan["arms"].pop(), "unknown arm 'full'"),
        (lambda plan: plan["trials"][0]["config"].update(seed=7), "keys do not belong to its content"),
        (lambda plan: plan["budget"].update(gflop=1.0), "budget.kind is 'images'"),
        (lambda plan: plan["budget"].update(kind="flops", gflop=1.0), "its budget lacks an arm"),
        (lambda plan: plan["budget"].update(kind="flops", gflop=1.0, gflop_per_image={"full": 0.0}), "of 'full' is 0.0 GFLOP"),
        (lambda plan: plan["trials"].clear(), "it has no trial"),
        (lambda plan: plan.update(trials=[t for t in plan["trials"] if t["arm"] != "full"]), "arm 'full' has no trial"),
        (lambda plan: plan.update(search=SEARCH_OF_NOTHING), "it searches 'loss.beauty', which no configuration has"),
        (lambda plan: plan["trials"].append(plan["trials"][0]), "two trials of arm"),
        (lambda plan: plan["trials"][0].update(candidate=-1), "candidate is -1"),
        (lambda plan: plan["data"].update(rows=-1), "-1 rows"),
        (lambda plan: plan["analysis"].update(looks=[3, 10**9]), "at most 1000 seeds"),
        (lambda plan: plan["analysis"].update(level=0.0), "level is 0.0"),
        (lambda plan: plan["analysis"].update(metrics=["beauty"]), "the metric 'beauty'"),
        (lambda plan: plan.update(design="two\nlines"), "one line of text"),
    ],
)
def test_an_inconsistent_plan_is_refused(
    change: Callable[[dict[str, Any]], Any], says: str, tiny: Config, tmp_path: Path
) -> None:
    open_study(tmp_path, figure2_plan(tiny))
    content = json.loads((tmp_path / "plan.json").read_text())
    change(content["plan"])
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=says) as refused:
        read_plan(tmp_path)
    assert str(tmp_path / "plan.json") in str(refused.value)

"""What to run next: a fold-over where a fraction mixes effects, seeds where a main effect is undecided, with their price."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.files import write_json
from facegan.metrics.card import Card, Scores, summarise
from facegan.metrics.table import METRICS
from facegan.presets import preset
from facegan.report.study_text import markdown_answers, result_lines
from facegan.study.analysis.power import undecided_main_effects
from facegan.study.conclusions.planned_power import power_of_design
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.cost.spending import Spending, write_spending
from facegan.study.design.analysis_plan import default_analysis, looks_until
from facegan.study.design.arms import Design, extend_by_fold_over
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.design.designs import design
from tests.planning import PLANNED_DATA

Following = float | np.ndarray
"""Of all test people, or of each."""
STYLED = Config().override({"loss.style": 1.0})
FACTORS = ("pixel", "self_consistency", "triple_consistency", "perceptual", "identity")
QUARTER = design("fraction", *FACTORS, size="quarter")
"""perceptual = pixel x self_consistency, identity = pixel x triple_consistency."""


def plan_of(config: Config, found: Design, seeds: tuple[int, ...] = (0, 1, 2), **options: object) -> Plan:
    arms = (*found.arms, *found.extension)
    extension = [arm.name for arm in found.extension]
    named = {"design": found.name, "preset": "demo", "seeds": seeds, "data": PLANNED_DATA, "commit": "c"} | options
    return make_plan(config, arms, factors=found.factors, extension=extension, **named)  # type: ignore[arg-type]


def card(following: Following, rng: np.random.Generator) -> Card:
    clips = [f"{500 + i}" for i in range(12)]
    scores: Scores = {metric: rng.normal(0.9, 0.001, len(clips)) for metric in METRICS}
    scores["target_following"] = following + rng.normal(0, 0.01, len(clips))
    return summarise(scores, clips)


def finished(root: Path, plan: Plan, effect: Mapping[str, Following], noise: float = 0.01) -> Summary:
    """The summary of a study in which these factors change target_following."""
    open_study(root, plan)
    rng, levels = np.random.default_rng(1), {arm.name: arm.levels for arm in plan.arms}
    for trial in plan.trials:
        value = 0.5 + sum(size / 2 * levels[trial.arm][factor] for factor, size in effect.items()) + rng.normal(0, noise)
        folder = trial_folder(root, trial)
        folder.write_state("COMPLETED", images=32, seconds=2.0, passes={})
        folder.write_scores(card(value, rng))
    write_spending(root, Spending(seconds=3600.0, usd=2.4))
    return summarise_study(root, plan)


def test_a_fraction_with_a_found_effect_of_several_names_is_folded_over_first(tiny: Config, tmp_path: Path) -> None:
    summary = finished(tmp_path, plan_of(tiny, QUARTER), {"perceptual": 0.3})
    step = summary.next_steps[0]
    assert (step.flags, step.runs, step.hours) == ("--extend fold-over", 24, 1.0) and step.usd == pytest.approx(2.4)
    assert "perceptual (= pixel x self consistency) on " in step.sentence
    assert step.sentence.startswith(
        "7 effects of one or two factors have several names in this fraction; the fold-over leaves "
    )
    (line,) = [line for line in result_lines(summary) if line.startswith("next     --extend")]
    assert line.startswith("next     --extend fold-over (24 runs, 1 h 0 min, $2.40). 7 effects")
    assert "- Next: --extend fold-over" in markdown_answers(summary)


def test_the_flag_of_the_step_makes_the_plan_that_separates_them(tiny: Config, tmp_path: Path) -> None:
    first = plan_of(tiny, QUARTER)
    finished(tmp_path, first, {"perceptual": 0.3})
    extended = open_study(tmp_path, plan_of(tiny, extend_by_fold_over(QUARTER, tiny), (0,)))
    assert extended.id() == first.id() and extended.trials[: len(first.trials)] == first.trials
    assert len(extended.trials) == 48, "every arm of the fold-over has every seed of the study"
    (change,) = extended.changes
    assert change.results_seen == 24 and change.what.startswith("arms ") and change.what.endswith(" added")
    assert open_study(tmp_path, first) == extended, "the command of before finds the study as it is now"
    with_seed = open_study(tmp_path, plan_of(tiny, QUARTER, (0, 1, 2, 3)))
    assert len(with_seed.trials) == 64, "a seed that is added is one for the arms of the fold-over too"
    summary = finished(tmp_path, with_seed, {"perceptual": 0.3})
    assert summary.effects is not None and summary.effects.resolution == 4
    found = {effect.name: effect for effect in summary.effects.metrics["target_following"].effects}
    assert found["perceptual"].members == (("perceptual",),)
    assert all(step.flags != "--extend fold-over" for step in summary.next_steps)


def test_undecided_effects_ask_for_seeds(tiny: Config, tmp_path: Path) -> None:
    square = design("factorial", "pixel", "identity")
    summary = finished(tmp_path, plan_of(tiny, square, (0, 5)), {"pixel": 0.02}, noise=0.05)
    (step,) = summary.next_steps
    seeds = step.flags.removeprefix("--seeds ").split()
    assert seeds[:4] == ["0", "5", "1", "2"] and step.runs == 4 * (len(seeds) - 2)
    assert step.hours == pytest.approx(step.runs / 8)
    assert "pixel" in step.sentence and f"{len(seeds)} seeds find the smallest effect of interest in 80 %" in step.sentence


def test_the_plan_of_a_repetition_asks_for_as_many_seeds(tiny: Config, tmp_path: Path) -> None:
    square = design("factorial", "pixel", "identity")
    large = 0.7 + np.random.default_rng(3).normal(0, 0.2, 12)
    plan = plan_of(tiny, square, (0, 1, 2, 3))
    summary = finished(tmp_path, plan, {"pixel": large, "identity": 0.08}, noise=0.05)
    write_json(tmp_path / "summary.json", summary)
    (step,) = summary.next_steps
    assert step.sentence.startswith("Undecided: identity on target following. "), "pixel is found, and differs between people"
    power = power_of_design(square, plan.analysis, (2,), None, tmp_path).metrics[0]
    assert power.metric == "target_following" and f" {power.seeds_needed} seeds find " in step.sentence


def test_a_plan_from_a_study_with_all_effects_decided_takes_the_noise_of_all(tiny: Config, tmp_path: Path) -> None:
    square = design("factorial", "pixel", "identity")
    plan = plan_of(tiny, square)
    summary = finished(tmp_path, plan, {"pixel": 0.5, "identity": 0.5}, noise=0.0001)
    assert summary.effects and not undecided_main_effects(summary.effects.metrics["target_following"])
    write_json(tmp_path / "summary.json", summary)
    power = power_of_design(square, plan.analysis, (2,), None, tmp_path)
    assert "target_following" in [metric.metric for metric in power.metrics]


def test_what_is_out_of_reach_of_seeds_is_said_or_not_advised(tiny: Config, tmp_path: Path) -> None:
    square = design("factorial", "pixel", "identity")
    noisy = finished(tmp_path / "noisy", plan_of(tiny, square, (0, 1)), {}, noise=0.4)
    assert noisy.next_steps == ()


def test_seeds_beyond_the_shipped_start_weights_need_a_new_study(tmp_path: Path) -> None:
    summary = finished(tmp_path, plan_of(preset("demo"), design("factorial", "pixel", "identity"), (0, 1)), {}, noise=0.05)
    (step,) = summary.next_steps
    assert step.flags.startswith("--start random --warm_up 24000 --seeds 0 1 2") and step.hours is None
    assert "a new study" in step.sentence


def test_a_study_that_is_decided_incomplete_or_plans_its_looks_has_no_next_step(tiny: Config, tmp_path: Path) -> None:
    square = design("factorial", "pixel", "identity")
    plan = plan_of(tiny, square)
    assert finished(tmp_path / "decided", plan, {"pixel": 0.5, "identity": 0.5}, noise=0.0001).next_steps == ()
    looks = plan_of(tiny, square, analysis=default_analysis(looks_until(6)))
    assert finished(tmp_path / "looks", looks, {}, noise=0.1).next_steps == ()
    summary = finished(tmp_path / "left", plan, {}, noise=0.1)
    assert summary.next_steps
    trial_folder(tmp_path / "left", plan.trials[0]).write_state("RUNNING", images=0, seconds=0.0, passes={})
    assert summarise_study(tmp_path / "left", plan).next_steps == ()


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize(
    "found",
    [
        design("figure2", names=("full",)),
        design("figure2", names=("no_pixel", "full")),
        design("loo", *FACTORS),
        design("add-one", "pixel", "identity"),
        design("fraction", "pixel", "perceptual", "identity", size="half"),
        design("fraction", *FACTORS, size="quarter", names=tuple(arm.name for arm in QUARTER.arms[:3])),
        design("fraction", *FACTORS, size="half"),
        design("fraction", "pixel", "perceptual", "identity", size="half", names=("full",)),
        design("fraction", "pixel", "perceptual", "identity", size="half", names=("full", "only_pixel")),
    ],
    ids=[
        "one arm",
        "two arms",
        "loo",
        "add-one",
        "half of 3",
        "part of a quarter",
        "half of 5",
        "one of a half",
        "two of a half",
    ],
)
def test_every_design_has_its_steps_or_none(tiny: Config, tmp_path: Path, found: Design, seeds: tuple[int, ...]) -> None:
    steps = finished(tmp_path, plan_of(tiny, found, seeds), {}, noise=0.03).next_steps
    is_mixed = found.name == "fraction" and len(found.arms) == 4
    assert [step.flags for step in steps if "--extend" in step.flags] == (["--extend fold-over"] if is_mixed else [])
    assert len(seeds) > 1 or all("--seeds" not in step.flags for step in steps), "one seed shows no noise"
    assert all(step.runs > 0 and step.sentence for step in steps)

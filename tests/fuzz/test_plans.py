"""Plans: what a plan.json says is planned, run, extended and summed up, or it is refused in one line.

Damage is put into the plan first. Then the keys and all else that follows from the plan are made to fit, where that is
possible, so that it gets past the check of the hashes.
"""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import BadRecord, from_json
from facegan.report.study_text import plan_lines, result_lines
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.analysis_plan import default_analysis
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget
from facegan.study.design.change import COMPARE, analysis_of_change, compared_arms
from facegan.study.design.plan import Plan, make_plan, trial_key
from facegan.study.folder.study_folder import PLAN, extended_plan, open_study, read_plan, write_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import finish_trial, planted_card
from tests.fuzz.inputs import damaged, inputs, value_or_one_line
from tests.planning import PLANNED_DATA

pytestmark = pytest.mark.slow

Study = tuple[Path, Plan]


@pytest.fixture(scope="module", params=["images", "flops", "seconds", "compare"])
def study(tiny: Config, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Study:
    """A finished study of eight trials, and its plan; its trials lie beside it by number."""
    root = tmp_path_factory.mktemp("study")
    plan = compared(tiny) if request.param == "compare" else factorial(tiny, request.param)
    open_study(root, plan)
    for number, trial in enumerate(plan.trials):
        finish_trial(root, trial, planted_card(10 + number, 0.1 + 0.01 * number, 0.1 * number, number))
        trial_folder(root, trial).path.rename(root / str(number))
    (root / PLAN).rename(root / "whole.json")
    return root, plan


def compared(tiny: Config) -> Plan:
    """A changed configuration and its base, four seeds."""
    return make_plan(
        tiny,
        compared_arms(tiny, ["loss.pixel=5", "data.flip=False"]),
        design=COMPARE,
        preset="demo",
        seeds=(0, 1, 2, 3),
        data=PLANNED_DATA,
        commit="c",
        analysis=analysis_of_change((3, 4, 5), ["face_error=0.5"]),
    )


def factorial(tiny: Config, budget: str) -> Plan:
    """Four arms, two seeds."""
    design = choose_design("factorial", tiny, factors=("pixel_space", "feature_space"))
    names = [arm.name for arm in design.arms]
    budgets = {
        "images": Budget(),
        "seconds": Budget("seconds", 2.5),
        "flops": Budget("flops", None, 32.0, dict.fromkeys(names, 1.0), {key: {"generator": 4.0, "vgg": 0.0} for key in names}),
    }
    arms = (replace(design.arms[0], changes={"optim.generator_lr": 1e-3, "loss.pixel_form": "l1"}), *design.arms[1:])
    return make_plan(
        tiny.override({"warm_up": 8}),
        arms,
        design=design.name,
        preset="demo",
        seeds=(0, 1),
        data=PLANNED_DATA,
        commit="c",
        factors=design.factors,
        budget=budgets[budget],
        analysis=default_analysis((2, 3)) if budget == "images" else None,
    )


def made_to_fit(values: Any) -> Plan | None:
    """The plan in these values, its trials with the keys of their content; None if it cannot be read."""
    with suppress(BadRecord, UserError):
        plan = from_json(Plan, values)
        keys = [trial_key(trial.config, plan.vgg, plan.data, plan.code, plan.budget) for trial in plan.trials]
        return replace(plan, trials=tuple(replace(t, key=key) for t, key in zip(plan.trials, keys, strict=True)))
    return None


def write_damaged(root: Path, values: Any) -> None:
    """Write plan.json; where what follows from the plan cannot be computed, with what followed from the whole plan."""
    plan = made_to_fit(values)
    if plan is not None:
        with suppress(Exception):  # the reader computes the same, and must refuse the plan
            write_plan(root, plan)
            return
    file = json.loads((root / "whole.json").read_text())
    (root / PLAN).write_text(json.dumps({**file, "plan": values if plan is None else asdict(plan)}))


def use(root: Path) -> Summary:
    """Read the plan, and do with it what the jobs do: order and extend the trials, and sum up those that are done."""
    plan = read_plan(root)
    trials = root / "trials"
    for old in trials.iterdir() if trials.exists() else ():
        old.unlink()
    trials.mkdir(exist_ok=True)
    for number, trial in enumerate(plan.trials):
        trial_folder(root, trial).path.symlink_to(root / str(number % 8))
    assert extended_plan(root, plan) == plan and len(plan.run_order()) == len(plan.trials)
    assert len({warm_up.key for warm_up in plan.warm_ups()}) in (0, len(plan.seeds))
    summary = summarise_study(root, plan)
    write_json(root / "summary.json", summary)
    lines = [*plan_lines(plan, "here"), *result_lines(summary)]
    assert all(line.isprintable() for text in lines for line in text.split("\n"))
    return summary


@inputs(1, 4)
@given(drawn=st.data())
def test_any_plan_is_used_or_refused_in_one_line(study: Study, drawn: st.DataObject) -> None:
    root, plan = study
    values = drawn.draw(damaged(json.dumps(asdict(plan)).encode()))
    write_damaged(root, values)
    value_or_one_line("plan", lambda: use(root))


@inputs(0.5, 4)
@given(drawn=st.data())
def test_any_file_of_a_plan_is_used_or_refused_in_one_line(study: Study, drawn: st.DataObject) -> None:
    root, _ = study
    content = (root / "whole.json").read_bytes()
    texts = damaged(content).map(lambda values: json.dumps(values).encode()) | st.binary(max_size=40)
    (root / PLAN).write_bytes(drawn.draw(texts))
    value_or_one_line("plan", lambda: use(root))


def test_the_whole_plan_is_used(study: Study) -> None:
    root, plan = study
    write_damaged(root, json.loads(json.dumps(asdict(plan))))
    assert len(use(root).trials) == len(plan.trials)

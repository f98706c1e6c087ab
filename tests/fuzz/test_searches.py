"""Searches: a damaged plan or search.json is used or refused in one line, and so is any word of --space."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.config import TERMS, Config
from facegan.files import write_json
from facegan.presets import preset
from facegan.report.search_figure import search_figure
from facegan.report.search_text import search_lines
from facegan.study.conclusions.finalists import arms_of_finalists
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.candidates import propose
from facegan.study.design.plan import Plan, make_plan
from facegan.study.design.search_space import grid, parse_space, typed
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.study.search.results import SEARCH, SearchResult, summarise_search, told
from tests.facegan.study.planted_study import finish_trial, planted_card
from tests.facegan.study.search.planted_search import planted_search
from tests.fuzz.inputs import damaged, inputs, value_or_one_line
from tests.fuzz.test_plans import write_damaged
from tests.planning import PLANNED_DATA

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def search(tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, SearchResult]:
    """A finished search, its plan and its result; its trials lie beside it by number."""
    root = tmp_path_factory.mktemp("search")
    plan = planted_search(root, tiny)
    found = summarise_search(plan, root)
    for number, trial in enumerate(plan.trials):
        trial_folder(root, trial).path.rename(root / str(number))
    (root / "plan.json").rename(root / "whole.json")
    return root, plan, found


def use(root: Path) -> SearchResult:
    """Read the plan, and do with it what jobs/search.py does."""
    plan = read_plan(root)
    assert plan.search is not None or not any(trial.candidate for trial in plan.trials)
    trials = root / "trials"
    for old in trials.iterdir() if trials.exists() else ():
        old.unlink()
    trials.mkdir(exist_ok=True)
    for number, trial in enumerate(plan.trials):
        trial_folder(root, trial).path.symlink_to(root / str(number % 8))
    if plan.search is not None:
        for arm in plan.arms:
            plan.with_candidates({arm.name: propose(plan.search, arm.name, arm.apply(plan.base), told(plan, root, arm))})
    found = summarise_search(plan, root)
    assert all(line.isprintable() for text in search_lines(found) for line in text.split("\n"))
    arms_of_finalists(found, plan.arms)
    return found


@inputs(0.5, 4)
@given(drawn=st.data())
def test_any_plan_of_a_search_is_used_or_refused_in_one_line(
    search: tuple[Path, Plan, SearchResult], drawn: st.DataObject
) -> None:
    root, plan, _ = search
    write_damaged(root, drawn.draw(damaged(json.dumps(asdict(plan)).encode())))
    value_or_one_line("search", lambda: use(root))


def test_the_whole_plan_is_used(search: tuple[Path, Plan, SearchResult]) -> None:
    root, plan, found = search
    write_damaged(root, json.loads(json.dumps(asdict(plan))))
    assert use(root) == found


@pytest.fixture(scope="module")
def finalists(
    search: tuple[Path, Plan, SearchResult], tiny: Config, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Plan, SearchResult]:
    """The finished study of that search's finalists."""
    _, plan, found = search
    root = tmp_path_factory.mktemp("finalists")
    named: dict[str, Any] = {"design": "figure2", "preset": "demo", "seeds": (1, 2), "data": PLANNED_DATA, "commit": ""}
    study = make_plan(tiny, arms_of_finalists(found, plan.arms), **named)
    open_study(root, study)
    for number, trial in enumerate(study.trials):
        finish_trial(root, trial, planted_card(10 + number, 0.1, 0.3, number), face_error=1.0)
    return root, study, found


@inputs(0.5, 4)
@given(drawn=st.data())
def test_any_result_of_a_search_is_shown_or_refused_in_one_line(
    finalists: tuple[Path, Plan, SearchResult], drawn: st.DataObject
) -> None:
    root, plan, found = finalists
    values = drawn.draw(damaged(json.dumps(asdict(found)).encode()))
    (root / SEARCH).write_text(json.dumps(values))

    def show() -> Summary:
        summary = summarise_study(root, plan)
        write_json(root / "summary.json", summary)
        if summary.search is not None:
            assert all(line.isprintable() for text in search_lines(summary.search) for line in text.split("\n"))
            search_figure(summary.search)
        return summary

    value_or_one_line("search result", show)


WORDS = st.text(max_size=30) | st.builds(
    "{}={}".format,
    st.sampled_from(sorted(preset("demo").flat())),
    st.builds("{}..{}".format, st.floats(), st.floats())
    | st.lists(st.sampled_from(["0", "1", "1e400", "mask", "True", "", "-1", "l1", "é", "0x1"]), max_size=4).map(",".join),
)
WEIGHTS = st.builds(
    "loss.{}={}..{:g}".format, st.sampled_from(sorted(TERMS)), st.sampled_from(["1e-9", "0.5", "1"]), st.floats(0, 1e3)
)
"""Ranges of weights, most of which can be searched."""


@inputs(1, 20)
@given(words=st.lists(WORDS, min_size=1, max_size=3) | st.lists(WEIGHTS, min_size=1, max_size=2))
def test_any_space_is_searched_or_refused_in_one_line(words: Sequence[str]) -> None:
    config = preset("demo")

    def parse() -> int:
        space = parse_space(words, config)
        for values in grid(space)[:20]:
            config.override(typed(values, config))
        return len(space)

    value_or_one_line("space", parse)

"""Search the best values for each arm of a design, then train them again: two studies, of candidates and of finalists.

The candidates' study is beside the other one, at its location with -candidates at the end. The finalists' study has the report.
Running a search again continues where it stopped.
"""

from dataclasses import replace
from pathlib import Path

from cluster.studies.run_study import (
    STUDIES,
    PreparedStudy,
    RunTrials,
    StudyRequest,
    exit_if_trials_failed,
    prepare,
    run_study,
    train,
)
from facegan.files import write_json
from facegan.report.search_text import search_lines
from facegan.report.study_text import plan_lines
from facegan.study.conclusions.finalists import arms_of_finalists
from facegan.study.design.candidates import propose
from facegan.study.design.plan import Plan
from facegan.study.search.results import SEARCH, SearchResult, summarise_search, told

_CANDIDATES = "-candidates"


def run_search(request: StudyRequest, run_trials: RunTrials, finalists: int, seeds: tuple[int, ...]) -> tuple[Path, Plan]:
    """Search, print what was found, and train so many finalists of each arm again with these seeds.

    Returns the folder and the plan of the finalists' study. Exits with code 1 if trials failed.
    """
    shared = request.shared
    candidates = replace(
        request, shared=replace(shared, study=shared.study and shared.study + _CANDIDATES), design="candidates"
    )
    study = prepare(candidates)
    with study.store.only_driver():
        result = _search(study, run_trials, finalists)
    print("\n".join(search_lines(result)), end="\n\n", flush=True)

    # The finalists' study names its search, so that another search gets another folder.
    default = str(STUDIES / f"search-{shared.preset}-{result.plan}")
    arms = arms_of_finalists(result, request.arms)
    return run_study(
        replace(
            request,
            shared=replace(shared, study=shared.study or default),
            arms=arms,
            factors=request.factors if len(request.arms) > 1 else (),
            seeds=seeds,
            search=None,
            searched=result,
        ),
        run_trials,
    )


def _search(study: PreparedStudy, run_trials: RunTrials, finalists: int) -> SearchResult:
    """Train candidates, a generation after the other, until each arm has as many as it should have."""
    store = study.store
    plan = study.plan(study.request.seeds)
    print("\n".join(plan_lines(plan, study.shown_path)), flush=True)
    while True:
        tracker = train(study, plan, run_trials)
        exit_if_trials_failed(plan, store)
        more = _next_candidates(plan, store.folder)
        if more is None:
            break
        count = len(more.trials) - len(plan.trials)
        print(f"search   {len(plan.trials)} candidates have ended, {count} more are proposed", flush=True)
        plan = store.open(more)
    result = summarise_search(plan, store.folder, finalists)
    write_json(store.folder / SEARCH, result)
    store.push()
    tracker.finish("\n".join(search_lines(result)), {})
    return result


def _next_candidates(plan: Plan, folder: Path) -> Plan | None:
    """The plan with the next generation of each arm; None if no arm has one."""
    assert plan.search is not None, "a study without candidates"
    proposed = {arm.name: propose(plan.search, arm.name, arm.apply(plan.base), told(plan, folder, arm)) for arm in plan.arms}
    return plan.with_candidates(proposed) if any(proposed.values()) else None

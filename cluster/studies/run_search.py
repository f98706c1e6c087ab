"""Search the best values for each arm of a design, then train them again: two studies, of candidates and of finalists.

The candidates' study is beside the other one, at its location with -candidates at the end. The finalists' study has the report.
Running a search again continues where it stopped.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cluster.studies.price import print_plan
from cluster.studies.rates import save_rates
from cluster.studies.run_study import (
    STUDIES,
    PreparedStudy,
    RunTrials,
    StudyRequest,
    exit_if_all_diverged,
    exit_if_trials_failed,
    prepare,
    run_study,
    train,
)
from facegan.files import write_json
from facegan.records import read_record
from facegan.report.plan_page import total_line
from facegan.report.search_text import markdown_search, search_lines
from facegan.report.study_text import plan_lines
from facegan.study.conclusions.finalists import arms_of_finalists
from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.rates import rates_of_study
from facegan.study.cost.spending import read_spending
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan
from facegan.study.design.search_space import of_arm, typed
from facegan.study.folder.study_folder import read_plan
from facegan.study.search.generations import next_generation
from facegan.study.search.results import SEARCH, SearchResult, summarise_search

_CANDIDATES = "-candidates"
_CURE = "remove it and run the same command again"


def run_search(request: StudyRequest, run_trials: RunTrials, seeds: tuple[int, ...]) -> tuple[Path, Plan] | None:
    """Search, print what was found, and train the finalists of each arm again with these seeds.

    Returns the folder and the plan of the finalists' study, None if the search came to a limit of its cost. Exits with code 1
    if trials failed, or all candidates diverged.
    """
    study = prepare(_of_candidates(request))
    with study.store.only_driver():
        result = _search(study, run_trials)
    if result is None:
        print(
            f"search   ended at its limit before a candidate had trained to the end: see jobs/status.py {study.shown_path}; "
            "a higher limit goes on",
            flush=True,
        )
        return None
    print("\n".join(search_lines(result)), end="\n\n", flush=True)

    exit_if_all_diverged(read_plan(study.store.folder), study.store)
    again = _of_finalists(request, result, seeds)
    _keep_rates(study.store.folder, again.arms)
    spent = read_spending(study.store.folder)
    return run_study(replace(again, searched=result, cost=request.cost.less(spent.seconds, spent.usd)), run_trials)


def print_plans(request: StudyRequest, seeds: tuple[int, ...]) -> None:
    """Print what both studies cost, the search as its rule is expected to stop candidates; as JSON in two lines."""
    if not request.cost.json:
        print("the search, as early stopping is expected to go:\n")
    search = print_plan(_of_candidates(request), request.cost)
    found = read_record(SearchResult, search.study / SEARCH, _CURE) if search.study else None
    if not request.cost.json:
        print("\nthe finalists, all of them to the end, beside the arms as configured:\n")
    again = print_plan(_of_finalists(request, found, seeds), request.cost)
    if not request.cost.json:
        print("\n" + total_line((search.expected, again.expected), (search.at_most, again.at_most)))


def _keep_rates(candidates: Path, arms: Sequence[Arm]) -> None:
    """Keep the speeds that the candidates show for the finalists, as those of a probe, which then is not made again."""
    plan = read_plan(candidates)
    configs = arm_configs(replace(plan, arms=tuple(arms)))
    rates = rates_of_study(plan, candidates, configs)
    if rates is not None:
        save_rates(configs, rates)


def _of_candidates(request: StudyRequest) -> StudyRequest:
    place = request.shared.study and request.shared.study + _CANDIDATES
    return replace(request, shared=replace(request.shared, study=place), design="candidates", factors=())


def _of_finalists(request: StudyRequest, result: SearchResult | None, seeds: tuple[int, ...]) -> StudyRequest:
    """The study of the finalists that a search found, or before its end one of as many, for its price."""
    factors = request.factors if len(request.arms) > 1 else ()
    arms = arms_of_finalists(result, request.arms) if result else (*request.arms, *_stand_ins(request))
    again = replace(request, arms=arms, factors=factors, seeds=seeds, search=None)
    if request.shared.study or result is None:
        return again
    # The default folder is named by the search, so that another search gets another one.
    folder = str(STUDIES / f"search-{request.shared.preset}-{result.plan}")
    return replace(again, shared=replace(request.shared, study=folder))


def _stand_ins(request: StudyRequest) -> list[Arm]:
    """Arms in place of the finalists. Their values are not known yet, and matter little for the cost."""
    assert request.search is not None, "a search has settings"
    found = []
    for arm in request.arms:
        space = of_arm(request.search.space, arm.apply(request.shared.config))
        values = typed({parameter.name: parameter.levels()[0] for parameter in space}, request.shared.config)
        for number in range(1, request.search.finalists + 1):
            label = f"{arm.label} finalist {number}"
            found.append(replace(arm, name=f"{arm.name}_{number}", label=label, levels={}, changes=values))
    return found


def _search(study: PreparedStudy, run_trials: RunTrials) -> SearchResult | None:
    """Train candidates, a generation after the other, until each arm has as many as it should have.

    At a limit the search is over as soon as it has a finalist, since others would need another study; None if it has none.
    """
    store = study.store
    plan = study.plan(study.request.seeds)
    print("\n".join(plan_lines(plan, study.shown_path)), flush=True)
    before = read_record(SearchResult, store.folder / SEARCH, _CURE)
    if before is not None and before.spent.limit:
        return before
    while True:
        tracker = train(study, plan, run_trials)
        exit_if_trials_failed(plan, store)
        if read_spending(store.folder).limit:
            break
        more = next_generation(plan, store.folder)
        if more is None:
            if not store.not_ended(plan.trials):
                break
            continue  # those that wait for others at a rung go on or end, now that no others will come
        count = len(more.trials) - len(plan.trials)
        print(f"search   {len(plan.trials)} candidates have been measured, {count} more are proposed", flush=True)
        plan = store.open(more)
    result = summarise_search(plan, store.folder)
    if result.spent.limit and not any(candidate.is_finalist for arm in result.arms for candidate in arm.candidates):
        return None
    write_json(store.folder / SEARCH, result)
    store.push()
    tracker.finish(markdown_search(result), {})
    return result

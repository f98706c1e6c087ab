"""Search for the best weights, or other values, of each arm of a design, then train the best ones again with fresh seeds.

ASHA compares the candidates of an arm by three distances on validation people, which do not depend on the values searched. What
is best there is trained again beside the configured weights: a score that was selected is too good.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import DataSet
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.arguments import StudyArguments, check_no_seed, check_seeds, check_start_weights
from cluster.studies.cost_flags import CostFlags
from cluster.studies.run_study import StudyRequest
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.candidates import SamplerName, SearchSettings, check_settings
from facegan.study.design.plan import Plan
from facegan.study.design.search_space import parse_space

_SEARCH_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Search:
    """Arguments of jobs/search.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    design: str = "figure2"
    """The design whose arms are searched, as in jobs/ablate.py."""
    factors: tuple[str, ...] = ()
    """Factors that the design switches on and off, as in jobs/ablate.py."""
    fraction: Literal["", "half", "quarter"] = ""
    """Size of --design fraction, as in jobs/ablate.py."""
    arms: tuple[str, ...] = ("full",)
    """Search these arms of the design; all: every arm. Each gets as many candidates and as many images."""
    space: tuple[str, ...] = ()
    """What to vary: ranges such as loss.pixel=1..100, choices such as optim.average=0,0.99, or files with one of these a line.
    By default each active weight but the adversarial one, within a factor of ten."""
    sampler: SamplerName = "random"
    """random: log-uniform; grid: both ends and the middle of each range; tpe and nsga2: Optuna proposes a generation at a time
    from what those before measured."""
    candidates: int = 8
    """Of each arm. The first one is the arm as configured."""
    generation: int = 8
    """Candidates of an arm that tpe and nsga2 propose at a time."""
    finalists: int = 1
    """Candidates of each arm to train again: the best compromises of those that no other one dominates, then of the next best.
    The search goes on until as many of each arm have trained to the end."""
    seeds: tuple[str, ...] = ("1", "2", "3")
    """Seeds to train the finalists with. The search has seed 0."""
    trial_resources: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)
    cost: Annotated[CostFlags, tyro.conf.arg(name="")] = field(default_factory=CostFlags)


def main(args: Search) -> None:
    """Check the arguments, then search, and train the finalists."""
    config = args.shared.config
    names = () if args.arms == ("all",) else args.arms
    design = choose_design(args.design, config, factors=args.factors, size=args.fraction, names=names)
    settings = SearchSettings(parse_space(args.space, config), args.sampler, args.candidates, args.generation, args.finalists)
    for arm in design.arms:
        check_settings(settings, arm.apply(config))
    _check_validation(config)
    seeds = check_seeds(args.seeds)
    if _SEARCH_SEED in seeds:
        raise UserError(
            f"--seeds is {' '.join(args.seeds)}: other seeds than that of the search ({_SEARCH_SEED}), such as 1 2 3"
        )
    check_start_weights(config, seeds, f"--seeds is {' '.join(args.seeds)}")
    check_no_seed(config)
    args.shared.check()
    args.cost.check()

    # Ray, torch and MLflow take seconds to import, which a wrong flag must not wait for.
    from cluster.studies.run_search import print_plans, run_search

    def run(plan: Plan, store: StudyStore, data: DataSet) -> None:
        from cluster.studies.sweep import run_sweep

        run_sweep(plan, store, data, args.trial_resources, cost=args.cost, finalist_seeds=len(seeds))

    request = StudyRequest(
        shared=args.shared,
        design=args.design,
        arms=design.arms,
        seeds=(_SEARCH_SEED,),
        factors=design.factors,
        trial_resources=args.trial_resources,
        cost=args.cost,
        search=settings,
    )
    if args.cost.plan:
        print_plans(request, seeds)
    else:
        run_search(request, run, seeds)


def _check_validation(config: Config) -> None:
    if not config.data.validation_fraction:
        raise UserError(
            "data.validation_fraction is 0: candidates are compared on validation people; hold some out, such as 0.1"
        )


if __name__ == "__main__":
    run_job(main, Search, __doc__, continues=lambda args: not args.cost.plan)

"""Search for the weights of the loss: ASHA compares candidates by following, identity and face error on validation clips.

That score does not depend on the weights, so candidates are comparable. The winner's score is optimistic because it was
selected: train it again with fresh seeds to get an unbiased one.
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import DataSet
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.arguments import StudyArguments, check_candidates, check_no_seed, choose_grace_images
from cluster.studies.run_study import StudyRequest, run_study
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.report.score_table import candidate_table, saved_by_stopping
from facegan.study.analysis.model_selection import SELECTED_BY, SELECTION
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Search:
    """Arguments of jobs/search.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    candidates: int = 8
    """Weight sets to compare. The first is the configured one; the others differ by up to a factor of ten per active weight."""
    grace_images: int | None = None
    """Images that every candidate trains on before ASHA may stop it. By default two checkpoints' worth."""
    trial_resources: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)


def main(args: Search) -> None:
    """Check the arguments, run the search and print the candidates, best first."""
    if args.candidates < 2:
        raise UserError(f"--candidates is {args.candidates}: at least 2, because one leaves nothing to choose among")
    grace_images = choose_grace_images(args.shared.config, args.grace_images)
    check_candidates(args.shared.config, grace_images)
    check_no_seed(args.shared.config)
    args.shared.check()

    def search(plan: Plan, store: StudyStore, data: DataSet) -> None:
        from cluster.studies.sweep import run_sweep  # imports Ray and torch, which take seconds

        run_sweep(plan, store, data, args.trial_resources, grace_images)

    request = StudyRequest(
        shared=args.shared,
        design="search",
        arms=(Arm("search", "Search", ()),),
        seeds=(0,),
        candidates=args.candidates,
        trial_resources=args.trial_resources,
    )
    study, plan = run_study(request, search)
    print(f"\n{saved_by_stopping(study, plan)}")
    print(f"less is better: the sum of {SELECTED_BY}")
    print(f"candidates by {SELECTION}, best first (ASHA ended the STOPPED ones)")
    for row in candidate_table(study, plan):
        print(f"  {row}")


if __name__ == "__main__":
    run_job(main, Search, __doc__)

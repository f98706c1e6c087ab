"""Search the weights of the loss: candidates about the given ones, ASHA on the validation clips' face error, a ranked table.

The score does not depend on the weights that are searched. The winner's score is optimistic: train it again on fresh seeds
before you believe it.
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli.arguments import StudyArguments
from cluster.cli.command_line import no_seed, run_job
from cluster.runtime.trial_resources import TrialResources
from cluster.studies.run_study import Request, run_study
from cluster.studies.sweep import check_candidates, run_sweep
from facegan.errors import UserError
from facegan.report.score_table import candidate_table
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.design.arms import Arm


@dataclass(frozen=True, kw_only=True)
class Search:
    """Arguments of jobs/search.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    candidates: int = 8
    """Sets of weights, the first being the given one; the others lie within a factor of ten of each active weight."""
    grace_images: int = 1_760
    """Images that every candidate gets before ASHA may end it."""
    share: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)


def main(args: Search) -> None:
    """Check everything that can be checked without Ray, then search."""
    if args.candidates < 2:
        raise UserError(f"--candidates is {args.candidates}: at least 2, or there is nothing to choose among")
    check_candidates(args.shared.config, args.grace_images)
    args.shared.check()
    no_seed(args.shared.config)
    request = Request(
        shared=args.shared,
        design="search",
        arms=(Arm("search", "Search", ()),),
        seeds=(0,),
        candidates=args.candidates,
    )
    study, plan = run_study(request, lambda plan, store, data: run_sweep(plan, store, data, args.share, args.grace_images))
    print(f"\ncandidates by {SELECTION}, best first (ASHA ended the STOPPED ones)")
    for row in candidate_table(study, plan):
        print(f"  {row}")


if __name__ == "__main__":
    run_job(main, Search, __doc__)

"""Search the weights of the loss: candidates about the given ones, ASHA on the validation clips' face error, a ranked table.

The score does not depend on the weights that are searched. The winner's score is optimistic: train it again on fresh seeds
before you believe it.
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli import no_seed, run_job
from cluster.inputs import SyntheticConfig, check_source
from cluster.run_study import Request, run_study
from cluster.sweep import METRIC, Share, check_candidates, run_sweep
from facegan.config import Config, UserError, preset
from facegan.nets.vgg import weights_name
from facegan.study.arms import Arm
from facegan.study.summary import rank_candidates


@dataclass(frozen=True, kw_only=True)
class Search:
    """Arguments of jobs/search.py."""

    source: str = ""
    """A folder in the 300VW layout; without it and without --data, synthetic people are rendered."""
    data: str = ""
    """A data set made by jobs/ingest.py, or where to make one of --source."""
    study: str = ""
    """Folder of the study; by default studies/search-<preset>-<plan>."""
    preset: str = "demo"
    """demo: minutes on a CPU; hour: an hour on a CPU; poster: the study of 2019, for GPUs."""
    candidates: int = 8
    """Sets of weights, the first being the given one; the others lie within a factor of ten of each active weight."""
    grace_images: int = 1_760
    """Images that every candidate gets before ASHA may end it."""
    cpus_per_trial: float = 1
    """CPUs that a trial takes."""
    gpus_per_trial: float | None = None
    """GPUs that a trial takes, below 1 to share one; by default 1 where the cluster has any."""
    include_faces: bool = False
    """Put frames of real people into report.html; the PNGs in the study folder hold them anyway."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=lambda: preset("demo"))


def main(args: Search) -> None:
    """Check everything that can be checked without Ray, then search."""
    if args.candidates < 2:
        raise UserError(f"--candidates is {args.candidates}: at least 2, or there is nothing to choose among")
    check_candidates(args.config, args.grace_images)
    share = Share(args.cpus_per_trial, args.gpus_per_trial)
    check_source(args.source)
    weights_name(args.config.vgg)
    request = Request(
        source=args.source,
        data=args.data,
        study=args.study,
        synthetic=args.synthetic,
        config=no_seed(args.config),
        preset=args.preset,
        design="search",
        arms=(Arm("search", "Search", ()),),
        seeds=(0,),
        include_faces=args.include_faces,
        candidates=args.candidates,
    )
    study, plan = run_study(request, lambda plan, study, data: run_sweep(plan, study, data, share, args.grace_images))
    print(f"\ncandidates by {METRIC}, best first (ASHA ended the STOPPED ones)")
    for row in rank_candidates(study, plan):
        print(f"  {row}")


if __name__ == "__main__":
    run_job(main, Search, __doc__)

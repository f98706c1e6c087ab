"""Train one configuration, data-parallel on any number of Ray Train workers, and report on it as on a study of one arm."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.arguments import StudyArguments
from cluster.cli import run_job
from cluster.dataset import DataSet
from cluster.run_study import Request, run_study
from cluster.runtime import total
from cluster.study_home import StudyHome
from cluster.worker import run_data_parallel
from facegan.config import UserError
from facegan.study.arms import Arm
from facegan.study.plan import Plan, trial_folder


@dataclass(frozen=True, kw_only=True)
class Train:
    """Arguments of jobs/train.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    workers: int = 1
    """Processes that share each batch, one a GPU where the cluster has GPUs; optim.batch is a multiple of it."""


def main(args: Train) -> None:
    """Check everything that can be checked without Ray, then train."""
    batch = args.shared.config.optim.batch
    if args.workers < 1 or batch % args.workers:
        raise UserError(f"--workers is {args.workers}: a divisor of optim.batch ({batch})")
    args.shared.check()
    request = Request(
        shared=args.shared,
        design="single",
        arms=(Arm("single", "Single", ()),),
        seeds=(args.shared.config.seed,),
        candidates=1,
    )

    def run(plan: Plan, home: StudyHome, data: DataSet) -> None:
        gpu, there = total("GPU") > 0, total("GPU") or total("CPU")
        if args.workers > there:
            raise UserError(f"--workers is {args.workers}: the cluster has {there:g} {'GPUs' if gpu else 'CPUs'}")
        trial = plan.trials[0]
        if trial_folder(home.folder, trial).state()["state"] not in ("COMPLETED", "DIVERGED"):
            run_data_parallel(trial, home, data, workers=args.workers, gpu=gpu)

    run_study(request, run)


if __name__ == "__main__":
    run_job(main, Train, __doc__)

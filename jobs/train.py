"""Train one configuration, data-parallel on any number of Ray Train workers, and write the same report as for a study."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import DataSet
from cluster.studies.arguments import StudyArguments
from cluster.studies.cost_flags import CostFlags
from cluster.studies.price import print_plan
from cluster.studies.run_study import StudyRequest, run_study
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder


@dataclass(frozen=True, kw_only=True)
class Train:
    """Arguments of jobs/train.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    workers: int = 1
    """Worker processes that share each batch, one per GPU if the cluster has GPUs. Must divide optim.batch."""
    silent_seconds: int = 600
    """How long workers wait for one that does not answer, such as one that hangs, before all start again from the last
    checkpoint. Scoring, during which the others wait for the first worker, must take less."""
    cost: Annotated[CostFlags, tyro.conf.arg(name="")] = field(default_factory=CostFlags)


def main(args: Train) -> None:
    """Check the arguments, then train."""
    batch = args.shared.config.optim.batch
    if args.workers < 1 or batch % args.workers:
        raise UserError(f"--workers is {args.workers}: a divisor of optim.batch ({batch})")
    if args.silent_seconds < 1:
        raise UserError(f"--silent_seconds is {args.silent_seconds}: at least 1, and more than scoring takes")
    args.shared.check()
    args.cost.check()

    def run(plan: Plan, store: StudyStore, data: DataSet) -> None:
        # Ray and torch take seconds to import, which a wrong flag must not wait for.
        from cluster.runtime.start import total
        from cluster.studies.data_parallel import run_data_parallel
        from cluster.studies.meter import cost_limit

        gpu, there = total("GPU") > 0, total("GPU") or total("CPU")
        if args.workers > there:
            raise UserError(
                f"--workers is {args.workers}: at most {there:g}, because the cluster has {there:g} {'GPUs' if gpu else 'CPUs'}"
            )
        (trial,) = plan.trials
        limit = cost_limit(plan, store, args.cost)
        if limit is not None and not limit.whole_seeds([trial], 1):
            return
        warm_up = plan.warm_up(trial.seed)
        for run in (warm_up, trial):
            if run is not None and trial_folder(store.folder, run).state().state not in ("COMPLETED", "DIVERGED"):
                branches_from = warm_up if run is trial else None
                run_data_parallel(
                    run,
                    plan.name_of(run),
                    store,
                    data,
                    workers=args.workers,
                    gpu=gpu,
                    warm_up=branches_from,
                    silent_seconds=args.silent_seconds,
                )

    request = StudyRequest(
        shared=args.shared,
        design="single",
        arms=(Arm("single", "Single", ()),),
        seeds=(args.shared.config.seed,),
        cost=args.cost,
    )
    if args.cost.plan:
        print_plan(request, args.cost, workers=args.workers)
    else:
        run_study(request, run)


if __name__ == "__main__":
    run_job(main, Train, __doc__, continues=lambda args: not args.cost.plan)

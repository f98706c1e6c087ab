"""Train one configuration, data-parallel on any number of Ray Train workers, and report on it as on a study of one arm."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cluster.cli import run_job
from cluster.inputs import SyntheticConfig, check_source
from cluster.run_study import Request, run_study
from cluster.runtime import total
from cluster.worker import run_data_parallel
from facegan.config import Config, UserError, preset
from facegan.nets.vgg import weights_name
from facegan.study.arms import Arm
from facegan.study.plan import Plan, trial_folder


@dataclass(frozen=True, kw_only=True)
class Train:
    """Arguments of jobs/train.py."""

    source: str = ""
    """A folder in the 300VW layout; without it and without --data, synthetic people are rendered."""
    data: str = ""
    """A data set made by jobs/ingest.py, or where to make one of --source."""
    study: str = ""
    """Folder of the results; by default studies/single-<preset>-<plan>."""
    preset: str = "demo"
    """demo: minutes on a CPU; hour: an hour on a CPU; poster: the study of 2019, for GPUs."""
    workers: int = 1
    """Processes that share each batch, one a GPU where the cluster has GPUs; optim.batch is a multiple of it."""
    include_faces: bool = False
    """Put frames of real people into report.html; the PNGs in the study folder hold them anyway."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=lambda: preset("demo"))


def main(args: Train) -> None:
    """Check everything that can be checked without Ray, then train."""
    batch = args.config.optim.batch
    if args.workers < 1 or batch % args.workers:
        raise UserError(f"--workers is {args.workers}: a divisor of optim.batch ({batch})")
    check_source(args.source)
    weights_name(args.config.vgg)
    request = Request(
        source=args.source,
        data=args.data,
        study=args.study,
        synthetic=args.synthetic,
        config=args.config,
        preset=args.preset,
        design="single",
        arms=(Arm("single", "Single", ()),),
        seeds=(args.config.seed,),
        include_faces=args.include_faces,
        candidates=1,
    )

    def run(plan: Plan, study: Path, data: Path) -> None:
        gpu, there = total("GPU") > 0, total("GPU") or total("CPU")
        if args.workers > there:
            raise UserError(f"--workers is {args.workers}: the cluster has {there:g} {'GPUs' if gpu else 'CPUs'}")
        trial = plan.trials[0]
        folder = trial_folder(study, trial)
        if folder.state()["state"] not in ("COMPLETED", "DIVERGED"):
            run_data_parallel(trial.config, folder, data, workers=args.workers, gpu=gpu)

    run_study(request, run)


if __name__ == "__main__":
    run_job(main, Train, __doc__)

"""Ablate the generator's loss: train every arm of a design, judge each on people never trained on, write the report."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli import no_seed, run_job
from cluster.inputs import SyntheticConfig, check_source
from cluster.run_study import Request, run_study
from cluster.sweep import Share, check_candidates, run_sweep
from facegan.config import Config, UserError, preset
from facegan.nets.vgg import weights_name
from facegan.study.arms import choose_arms


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Arguments of jobs/ablate.py."""

    source: str = ""
    """A folder in the 300VW layout; without it and without --data, synthetic people are rendered."""
    data: str = ""
    """A data set made by jobs/ingest.py, or where to make one of --source."""
    study: str = ""
    """Folder of the study; by default studies/<design>-<preset>-<plan>."""
    preset: str = "demo"
    """demo: minutes on a CPU; hour: an hour on a CPU; poster: the study of 2019, for GPUs."""
    design: str = "figure2"
    """figure2: the four models of the poster's Figure 2."""
    arms: tuple[str, ...] = ()
    """Only these arms of the design."""
    seeds: tuple[int, ...] = (0,)
    """Every arm is trained once a seed; runs of one seed share start weights and batches."""
    candidates: int = 1
    """Sets of weights tried within each arm, the first being the arm's own; ASHA ends the worse ones early."""
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


def main(args: Ablate) -> None:
    """Check everything that can be checked without Ray, then run the study."""
    arms = choose_arms(args.design, args.arms)
    if args.candidates < 1:
        raise UserError(f"--candidates is {args.candidates}: at least 1")
    if args.candidates > 1:
        check_candidates(args.config, args.grace_images)
    share = Share(args.cpus_per_trial, args.gpus_per_trial)
    if not args.seeds or len(set(args.seeds)) < len(args.seeds):
        raise UserError(f"--seeds is {args.seeds}: different whole numbers, at least one")
    check_source(args.source)
    weights_name(args.config.vgg)
    request = Request(
        source=args.source,
        data=args.data,
        study=args.study,
        synthetic=args.synthetic,
        config=no_seed(args.config),
        preset=args.preset,
        design=args.design,
        arms=arms,
        seeds=args.seeds,
        include_faces=args.include_faces,
        candidates=args.candidates,
    )
    run_study(request, lambda plan, study, data: run_sweep(plan, study, data, share, args.grace_images))


if __name__ == "__main__":
    run_job(main, Ablate, __doc__)

"""Ablate the generator's loss: train every arm of a design, judge each on people never trained on, write the report."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from cluster.cli.arguments import StudyArguments
from cluster.cli.command_line import no_seed, run_job
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.run_study import Request, run_study
from cluster.studies.sweep import check_candidates, run_sweep
from facegan.config import preset
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Kind, choose_budget


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Arguments of jobs/ablate.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    design: str = "figure2"
    """figure2: the four models of the poster's Figure 2; loo: each factor left out of the full loss; add-one: each added to
    the loss without any; factorial: all combinations; fraction: a half or a quarter of them."""
    factors: tuple[str, ...] = ()
    """What the design switches: terms (pixel), groups (consistency, pixel_space, feature_space) or terms joined by +; by
    default each term that is on, but the adversarial one."""
    fraction: Literal["", "half", "quarter"] = ""
    """Of --design fraction: half, 2^(k-1) arms, or quarter, 2^(k-2) arms of k factors; plan.json says what is aliased."""
    arms: tuple[str, ...] = ()
    """Only these arms of the design."""
    seeds: tuple[int, ...] = (0,)
    """Every arm is trained once a seed; runs of one seed share start weights and batches."""
    budget: Kind = "images"
    """What every arm gets alike. images: --images each; passes: as much compute as --images of the whole loss, the networks'
    passes weighed by their operations, so that cheaper arms train on more images; seconds: --seconds of training each."""
    seconds: float | None = None
    """Of --budget seconds: a run trains for so long on its device, to the first report after it; checkpoints and scoring are
    not counted. How far that leads depends on the machine and what else it does: it is not bit-reproducible."""
    candidates: int = 1
    """Sets of weights tried within each arm, the first being the arm's own; ASHA ends the worse ones early."""
    grace_images: int = 1_760
    """Images that every candidate gets before ASHA may end it."""
    share: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)


def main(args: Ablate) -> None:
    """Check everything that can be checked without Ray, then run the study."""
    design = choose_design(args.design, args.shared.config, factors=args.factors, size=args.fraction, names=args.arms)
    if args.candidates < 1:
        raise UserError(f"--candidates is {args.candidates}: at least 1")
    if args.candidates > 1:
        check_candidates(args.shared.config, args.grace_images, most=math.inf if args.seconds else None)
    if not args.seeds or len(set(args.seeds)) < len(args.seeds):
        raise UserError(f"--seeds is {args.seeds}: different whole numbers, at least one")
    args.shared.check()
    no_seed(args.shared.config)
    _check_seconds(args)
    request = Request(
        shared=args.shared,
        design=args.design,
        arms=design.arms,
        seeds=args.seeds,
        candidates=args.candidates,
        factors=design.factors,
        budget=choose_budget(args.budget, args.seconds, args.shared.config, design.arms),
    )
    run_study(request, lambda plan, store, data: run_sweep(plan, store, data, args.share, args.grace_images))


def _check_seconds(args: Ablate) -> None:
    """Refuse what contradicts a budget of seconds."""
    if args.budget != "seconds":
        return
    images = args.shared.config.images
    if images != preset(args.shared.preset).images:
        raise UserError(f"--images is {images}: with --budget seconds no run counts them; leave it out")
    gpus = args.share.gpus_per_trial
    if gpus is not None and 0 < gpus < 1:
        raise UserError(f"--gpus_per_trial is {gpus}: runs that share a GPU take each other's seconds; give 1, or leave it out")


if __name__ == "__main__":
    run_job(main, Ablate, __doc__)

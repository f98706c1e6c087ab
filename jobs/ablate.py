"""Ablation study of the generator's loss: trains every arm of a design, evaluates on held-out people, writes a report.

Running the same command again completes an interrupted study.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import DataSet
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.arguments import StudyArguments, check_no_seed, check_seeds, check_start_weights
from cluster.studies.cost_flags import CostFlags
from cluster.studies.price import print_plan
from cluster.studies.run_study import StudyRequest, run_study
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.presets import preset
from facegan.study.design.analysis_plan import AnalysisPlan, default_analysis, looks_until
from facegan.study.design.arms import choose_design, extend_by_fold_over
from facegan.study.design.budget import Kind, choose_budget
from facegan.study.design.plan import Plan

_UNTIL_ANSWERED = "until-answered"


@dataclass(frozen=True, kw_only=True)
class Ablate:
    """Arguments of jobs/ablate.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    design: str = "figure2"
    """figure2: the four models of the poster's Figure 2; loo: leave each factor out of the full loss; add-one: add each factor
    to the loss without factors; factorial: all combinations; fraction: a half or a quarter of all combinations."""
    factors: tuple[str, ...] = ()
    """Factors that the design switches on and off: terms (pixel), groups (consistency, pixel_space, feature_space) or terms
    joined by +. By default every active term except the adversarial one."""
    fraction: Literal["", "half", "quarter"] = ""
    """Size of --design fraction for k factors. half: 2^(k-1) arms; quarter: 2^(k-2) arms. plan.json lists the aliases."""
    extend: Literal["", "fold-over"] = ""
    """Add arms to a study of --design fraction. fold-over: as many again, with the levels of some factors reversed, which
    separates effects that the fraction cannot tell apart. The report says when this is worth while."""
    arms: tuple[str, ...] = ()
    """Train only these arms of the design."""
    seeds: tuple[str, ...] = ("0", "1", "2")
    """Train every arm once per seed. Runs with the same seed share start weights and batches. Seeds that are given later to the
    same study are added to it. until-answered: add seeds until the claims are decided, in looks planned beforehand."""
    max_seeds: int | None = None
    """With --seeds until-answered: the most seeds."""
    budget: Kind = "images"
    """What all arms get equally. images: --images per run. flops: the compute that the full loss needs for --images, so that
    cheaper arms train on more images. seconds: --seconds of training per run."""
    seconds: float | None = None
    """Training time per run for --budget seconds, without checkpoints and scoring. A run ends at its first report after this
    time. The number of images depends on the machine, so the result is not bit-reproducible."""
    runs_together: int = 1
    """Runs of a seed that one process trains together, on batches that are read once. Each has the results that it has alone.
    On a GPU, give it with --optim.cuda_graph True."""
    trial_resources: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)
    cost: Annotated[CostFlags, tyro.conf.arg(name="")] = field(default_factory=CostFlags)


def main(args: Ablate) -> None:
    """Check the arguments, then run the study."""
    config = args.shared.config
    design = choose_design(args.design, config, factors=args.factors, size=args.fraction, names=args.arms)
    if args.extend:
        if args.arms:
            raise UserError(
                f"--arms is {' '.join(args.arms)!r}: --extend {args.extend} needs a whole fraction; leave --arms out"
            )
        design = extend_by_fold_over(design, config)
    if args.runs_together < 1:
        raise UserError(f"--runs_together is {args.runs_together}: at least 1")
    if args.runs_together > 1 and args.budget == "seconds":
        raise UserError(
            f"--runs_together is {args.runs_together} and --budget is seconds: each run then ends by itself; leave one out"
        )
    seeds, analysis = _choose_seeds(args)
    check_no_seed(config)
    if args.budget == "seconds":
        _check_seconds(args)
    args.shared.check()
    args.cost.check()
    arms = (*design.arms, *design.extension)
    budget = choose_budget(args.budget, args.seconds, config, arms)

    def train(plan: Plan, store: StudyStore, data: DataSet) -> None:
        from cluster.studies.sweep import run_sweep  # imports Ray and torch, which take seconds

        run_sweep(plan, store, data, args.trial_resources, args.runs_together, args.cost)

    request = StudyRequest(
        shared=args.shared,
        design=args.design,
        arms=arms,
        seeds=seeds,
        factors=design.factors,
        extension=tuple(arm.name for arm in design.extension),
        budget=budget,
        analysis=analysis,
        trial_resources=args.trial_resources,
        cost=args.cost,
    )
    if args.cost.plan:
        print_plan(request, args.cost)
    else:
        run_study(request, train)


def _choose_seeds(args: Ablate) -> tuple[tuple[int, ...], AnalysisPlan]:
    """The seeds to begin with, and the analysis with its looks. Raises UserError for seeds that cannot be used."""
    if args.seeds == (_UNTIL_ANSWERED,):
        if args.max_seeds is None:
            raise UserError("--max_seeds is missing: the most seeds of --seeds until-answered, such as --max_seeds 10")
        looks = looks_until(args.max_seeds)
        check_start_weights(args.shared.config, range(args.max_seeds), f"--max_seeds is {args.max_seeds}")
        return tuple(range(looks[0])), default_analysis(looks)
    if args.max_seeds is not None:
        raise UserError(f"--max_seeds is {args.max_seeds}: it goes with --seeds until-answered")
    seeds = check_seeds(args.seeds, _UNTIL_ANSWERED)
    check_start_weights(args.shared.config, seeds, f"--seeds is {' '.join(args.seeds)}")
    return seeds, default_analysis()


def _check_seconds(args: Ablate) -> None:
    """Raise UserError for flags that contradict a budget of seconds."""
    config, default = args.shared.config, preset(args.shared.preset)
    # With another batch size, the message that refuses the preset's images names their nearest multiple.
    images = config.images
    if images not in (default.images, default.with_batch(config.optim.batch).images):
        raise UserError(f"--images is {images}: with --budget seconds the time ends a run; leave --images out")
    gpus = args.trial_resources.gpus_per_trial
    if gpus is not None and 0 < gpus < 1:
        raise UserError(f"--gpus_per_trial is {gpus}: runs that share a GPU slow each other down; give 1, or leave it out")


if __name__ == "__main__":
    run_job(main, Ablate, __doc__, continues=lambda args: not args.cost.plan)

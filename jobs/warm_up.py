"""Train the start weights that come with facegan, and write them and their card into a folder.

They are generators that draw a target pose, trained without the consistency terms on rendered people. Running the same command
again completes an interrupted training.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.arguments import StudyArguments
from cluster.studies.cost_flags import CostFlags
from facegan.config import SHIPPED_SEEDS
from facegan.errors import UserError
from facegan.files import write_bytes
from facegan.presets import preset
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.synthetic.config import SyntheticConfig

PEOPLE = SyntheticConfig(people=800, test_people=24, seed=1)
"""Rendered people whom no study sees by default: those of a study have another seed, and test people other clip numbers."""


@dataclass(frozen=True, kw_only=True)
class WarmUp:
    """Arguments of jobs/warm_up.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(
        default_factory=lambda: StudyArguments(preset="warm_up", config=preset("warm_up"), synthetic=PEOPLE)
    )
    out: Path = Path("facegan/start_weights")
    """Folder to write seed0.safetensors, seed1.safetensors, ... and README.md into."""
    trial_resources: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)
    cost: Annotated[CostFlags, tyro.conf.arg(name="")] = field(default_factory=CostFlags)


def main(args: WarmUp) -> None:
    """Train one generator per seed, then write the weights and the card."""
    if not args.out.is_dir():
        raise UserError(f"--out is {str(args.out)!r}: no such folder; make it, or run this in the project's folder")
    args.shared.check()
    args.cost.check()
    design = choose_design("figure2", args.shared.config, factors=(), size="", names=("no_consistency",))

    # Ray, torch and MLflow take seconds to import, which a wrong flag must not wait for.
    from cluster.studies.price import print_plan
    from cluster.studies.run_study import StudyRequest, run_study
    from cluster.studies.sweep import run_sweep
    from facegan.records import read_record
    from facegan.report.start_weights_card import card_text
    from facegan.study.conclusions.summary import Summary

    request = StudyRequest(
        shared=args.shared,
        design="figure2",
        arms=design.arms,
        seeds=tuple(range(SHIPPED_SEEDS)),
        factors=design.factors,
        trial_resources=args.trial_resources,
        cost=args.cost,
    )
    if args.cost.plan:
        print_plan(request, args.cost)
        return
    study, plan = run_study(
        request, lambda plan, store, data: run_sweep(plan, store, data, args.trial_resources, cost=args.cost)
    )
    summary = read_record(Summary, study / "summary.json", "jobs/report.py makes it again")
    assert summary is not None, "run_study writes it"
    for trial in plan.trials:
        _export(study, trial, args.out)
    write_bytes(args.out / "README.md", card_text(study, plan, summary).encode())
    print(f"weights  {args.out}: one file for each of {SHIPPED_SEEDS} seeds, and README.md, their card")


def _export(study: Path, trial: Trial, folder: Path) -> None:
    """Write the file of one seed. Raises UserError unless the trial is completed."""
    import torch

    from facegan.start_weights import shipped_file
    from facegan.start_weights.weights import save_start_weights
    from facegan.training import checkpoint

    found = trial_folder(study, trial)
    state = checkpoint.load(found.checkpoint, trial.config, torch.device("cpu"))
    if state is None or found.state().state != "COMPLETED":
        name = found.state().state
        raise UserError(f"the run of seed {trial.seed} is {name}: run the same command again; {found.path} has its log")
    save_start_weights(shipped_file(trial.seed, folder), state.result, state.discriminator)


if __name__ == "__main__":
    run_job(main, WarmUp, __doc__, continues=lambda args: not args.cost.plan)

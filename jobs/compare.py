"""Is a change of the configuration better, worse or equal within margins, and at what cost? Two arms, paired by seed.

Seeds are added in planned looks until this is decided. Running the same command again repeats no run.

Exit codes: 0 keep, 3 discard, 4 equal, 5 undecided; 1 a failure, 2 a wrong argument.
"""

import json
import sys
import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import tyro

from cluster.cli.command_line import run_job, to_standard_error
from cluster.datasets.dataset import DataSet
from cluster.runtime.resource_flags import TrialResources
from cluster.studies.arguments import StudyArguments, check_start_weights
from cluster.studies.cost_flags import CostFlags
from cluster.studies.price import print_plan
from cluster.studies.run_study import StudyRequest, run_study
from cluster.studies.study_store import StudyStore
from facegan.config import SHIPPED_SEEDS, Config
from facegan.errors import UserError
from facegan.records import read_record
from facegan.report.versions import installed_versions
from facegan.study.conclusions.change import ChangeConclusion, Outcome
from facegan.study.conclusions.summary import Summary
from facegan.study.design.analysis_plan import looks_until
from facegan.study.design.change import COMPARE, analysis_of_change, compared_arms
from facegan.study.design.plan import Plan

EXIT_CODES: dict[Outcome, int] = {"keep": 0, "discard": 3, "equal": 4, "undecided": 5}
_MAX_SEEDS = 10


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Arguments of jobs/compare.py."""

    shared: Annotated[StudyArguments, tyro.conf.arg(name="")] = field(default_factory=StudyArguments)
    change: tuple[str, ...] = ()
    """What is changed, as loss.pixel=5; several values are changed together."""
    max_seeds: int | None = None
    """The most seeds. By default 10; with the shipped start weights 3, because they exist for three seeds."""
    margin: tuple[str, ...] = ()
    """Margins in place of the smallest effects of interest, as face_error=0.5, in units of the metric."""
    trial_resources: Annotated[TrialResources, tyro.conf.arg(name="")] = field(default_factory=TrialResources)
    cost: Annotated[CostFlags, tyro.conf.arg(name="")] = field(default_factory=CostFlags)


def main(args: Compare) -> None:
    """Check the arguments, run the study, and exit with the code of the outcome."""
    arms = compared_arms(args.shared.config, args.change)
    looks = looks_until(_max_seeds(args.max_seeds, args.shared.config))
    analysis = analysis_of_change(looks, args.margin)
    if args.shared.config.seed:
        raise UserError(f"--seed is {args.shared.config.seed}: this job trains the seeds 0, 1, 2 ...; leave it out")
    args.shared.check()
    args.cost.check(has_json_result=True)
    trained: set[str] = set()

    def train(plan: Plan, store: StudyStore, data: DataSet) -> None:
        from cluster.studies.sweep import run_sweep  # imports Ray and torch, which take seconds

        trained.update(trial.key for trial in store.not_ended(plan.trials))
        run_sweep(plan, store, data, args.trial_resources, cost=args.cost)

    request = StudyRequest(
        shared=args.shared,
        design=COMPARE,
        arms=arms,
        seeds=tuple(range(looks[0])),
        analysis=analysis,
        trial_resources=args.trial_resources,
        cost=args.cost,
        share_trials=True,
    )
    if args.cost.plan:
        print_plan(request, args.cost)
        return
    started = time.monotonic()
    with to_standard_error() if args.cost.json else nullcontext():
        study, _ = run_study(request, train)
    summary = read_record(Summary, study / "summary.json", "remove it and run the same command again")
    assert summary is not None
    assert summary.change is not None
    if args.cost.json:
        cpus = args.trial_resources.cpus_per_trial
        print(json.dumps(_result(summary, summary.change, trained, cpus, time.monotonic() - started), default=asdict))
    sys.exit(EXIT_CODES[summary.change.outcome])


def _max_seeds(given: int | None, config: Config) -> int:
    """The most seeds. Raises UserError if two of them would start from the same shipped weights."""
    if given is None:
        return SHIPPED_SEEDS if config.start == "shipped" else _MAX_SEEDS
    check_start_weights(config, range(given), f"--max_seeds is {given}")
    return given


def _result(
    summary: Summary, change: ChangeConclusion, trained: Collection[str], cpus: float, wall_seconds: float
) -> dict[str, Any]:
    """The JSON object; `trained` are the keys of the runs that this command trained, `cpus` the CPUs of each.

    Seconds are of training, without checkpoints and scoring. GPU seconds are of runs on a GPU, which several may share.
    """
    now = [trial for trial in summary.trials if trial.key in trained]
    on_gpu = {row.key for row in summary.parity.trials if row.device not in (None, "cpu")}
    return {
        "outcome": change.outcome,
        "exit_code": EXIT_CODES[change.outcome],
        **{name: value for name, value in asdict(change).items() if name != "outcome"},
        "trials": {"trained": len(now), "reused": len(summary.trials) - len(now), "keys": [t.key for t in summary.trials]},
        "this_command": {
            "images": sum(trial.images for trial in now),
            "training_seconds": sum(trial.seconds for trial in now),
            "cpu_seconds": cpus * sum(trial.seconds for trial in now),
            "gpu_seconds": sum(trial.seconds for trial in now if trial.key in on_gpu),
            "wall_seconds": wall_seconds,
        },
        "plan": summary.study.id,
        "analysis": summary.study.analysis.digest,
        "data": asdict(summary.data),
        "versions": {
            "code": summary.study.code,
            "commit": summary.study.commit,
            "vgg": summary.study.vgg,
            **installed_versions(),
        },
    }


if __name__ == "__main__":
    run_job(main, Compare, __doc__, continues=lambda args: not args.cost.plan)

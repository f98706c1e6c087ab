"""Judge checkpoints on people never trained on: the metric card per clip and category, beside its reference rows.

What was judged is kept, clip by clip: the same command goes on where it stopped, and more checkpoints cost only themselves.
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import existing
from cluster.evaluation.checkpoints import read_checkpoints
from cluster.evaluation.evaluate_checkpoints import RESULT, plan_evaluation, run_evaluation
from cluster.storage.uri import storage_uri
from facegan.errors import UserError
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.report.score_table import score_lines


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Arguments of jobs/evaluate.py."""

    checkpoint: str = ""
    """A trial's checkpoint folder, or a study: then every trial that has a checkpoint."""
    data: str = ""
    """A data set made by jobs/ingest.py: a folder or s3://bucket/prefix; by default the one of the study."""
    out: str = ""
    """Folder or s3://bucket/prefix for the scores; by default evaluations/<name of the study or trial>."""
    evaluators: EvaluatorsConfig = field(default_factory=EvaluatorsConfig)
    sampling: Annotated[Sampling, tyro.conf.arg(name="")] = field(default_factory=Sampling)


def main(args: Evaluate) -> None:
    """Refuse what cannot be judged, then judge what is missing."""
    if not args.checkpoint:
        raise UserError("--checkpoint is missing: name a trial's checkpoint folder or a study")
    given = read_checkpoints(args.checkpoint)
    if not args.data and given.planned is None:
        raise UserError("--data is missing: a checkpoint alone does not say on which people to judge it")
    data = existing(storage_uri("--data", args.data)) if args.data else given.planned
    assert data is not None
    out = storage_uri("--out", args.out or f"evaluations/{given.name}")
    result = run_evaluation(plan_evaluation(given, data, args.evaluators, args.sampling, out), given.weights)
    kind = "SYNTHETIC faces" if result["data"]["synthetic"] else "real faces"
    print(f"\n{len(given.subjects)} checkpoints on people never trained on ({kind}); means over clips\n")
    scores = {found["label"]: found["scores"] for found in result["checkpoints"]}
    print("\n".join(score_lines(result["references"], scores, result["discrimination"])))
    print(f"\nscores   {out}/{RESULT}  (also per clip, per category, with intervals)")


if __name__ == "__main__":
    run_job(main, Evaluate, __doc__)

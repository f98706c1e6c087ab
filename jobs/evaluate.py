"""Evaluate checkpoints on held-out people: all metrics per clip and per category, next to the reference rows.

Results are kept per clip. Running the same command again continues an interrupted evaluation, and adding checkpoints evaluates
only those.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import existing
from cluster.evaluation.checkpoints import read_checkpoints
from cluster.storage.uri import storage_uri
from facegan.cache import is_remote
from facegan.errors import UserError
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Arguments of jobs/evaluate.py."""

    checkpoint: str = ""
    """A trial's checkpoint folder, or a study (a folder or s3://bucket/prefix): then all its trials with a checkpoint."""
    data: str = ""
    """Data set made by jobs/ingest.py: a folder or s3://bucket/prefix. By default the study's own."""
    out: str = ""
    """Folder or s3://bucket/prefix for the results; by default evaluations/<name of the study or trial>."""
    evaluators: EvaluatorsConfig = field(default_factory=EvaluatorsConfig)
    sampling: Annotated[Sampling, tyro.conf.arg(name="")] = field(default_factory=Sampling)


def main(args: Evaluate) -> None:
    """Check the arguments, evaluate what is missing and print the scores."""
    if not args.checkpoint:
        raise UserError("--checkpoint is missing: name a trial's checkpoint folder or a study")
    for flag, value in args.evaluators.files().items():
        if not is_remote(value) and not Path(value).is_file():
            raise UserError(f"{flag} is {value!r}: no such file; give a file or a URI")
    data = existing(storage_uri("--data", args.data)) if args.data else None
    checkpoint_set = read_checkpoints(args.checkpoint, data)
    out = storage_uri("--out", args.out or f"evaluations/{checkpoint_set.name}")

    # Ray and torch take seconds to import, which a wrong flag must not wait for.
    from cluster.evaluation.evaluate_checkpoints import RESULT_FILE, plan_evaluation, run_evaluation
    from facegan.report.score_table import score_lines

    evaluation = plan_evaluation(checkpoint_set, args.evaluators, args.sampling, out)
    result = run_evaluation(evaluation, checkpoint_set.weights)
    faces = "SYNTHETIC faces" if result["data"]["synthetic"] else "real faces"
    print(f"\n{len(checkpoint_set.checkpoints)} checkpoints on held-out people ({faces}); means over clips\n")
    scores = {found["label"]: found["scores"] for found in result["checkpoints"]}
    print("\n".join(score_lines(result["references"], scores, result["discrimination"])))
    print(f"\nscores   {out}/{RESULT_FILE}  (with intervals, per clip and per category)")


if __name__ == "__main__":
    run_job(main, Evaluate, __doc__, continues=lambda args: True)

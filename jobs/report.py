"""Write summary.json, the figures and report.html of a study again, from its folder; an unfinished study works too.

Needs no cluster. Reads the study's data set for the pictures.
"""

from dataclasses import dataclass
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import planned_data
from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.folder.study_folder import read_plan


@dataclass(frozen=True, kw_only=True)
class Report:
    """Arguments of jobs/report.py."""

    study: Annotated[str, tyro.conf.Positional] = ""
    """Study folder or s3://bucket/prefix."""
    include_faces: bool = False
    """Embed frames of real people in report.html."""


def main(args: Report) -> None:
    """Check the arguments, write the outputs and print the answers."""
    if not args.study:
        raise UserError("the study is missing: jobs/report.py <folder or s3://bucket/prefix>")
    store = StudyStore(storage_uri("the study", args.study))
    store.location.check()
    store.pull()
    plan = read_plan(store.folder, "the study", location=args.study)

    # torch and matplotlib take seconds to import, which a wrong flag must not wait for.
    from facegan.outputs import write_outputs
    from facegan.report.study_text import result_lines

    store.fetch_shown_checkpoints()
    summary = write_outputs(plan, store.folder, planned_data(plan).open(), include_faces=args.include_faces)
    store.push()
    print("\n".join(result_lines(summary)), end="\n\n")
    states = [trial.state for trial in summary.trials]
    print(f"runs     {', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))}")
    print(f"report   {store.location}/report.html")


if __name__ == "__main__":
    run_job(main, Report, __doc__)

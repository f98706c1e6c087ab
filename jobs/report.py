"""Write summary.json, the figures and report.html of a study anew, from its folder alone, however far it has come.

Needs no cluster. The data set that the study was planned on is read for the pictures.
"""

from dataclasses import dataclass

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import planned_data
from cluster.storage.uri import storage_uri
from cluster.studies.outputs import conclude
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.folder.study_folder import read_plan


@dataclass(frozen=True, kw_only=True)
class Report:
    """Arguments of jobs/report.py."""

    study: str = ""
    """A study's folder or s3://bucket/prefix."""
    include_faces: bool = False
    """Put frames of real people into report.html."""


def main(args: Report) -> None:
    """Read the folder, write into it."""
    if not args.study:
        raise UserError("--study is missing: name a study's folder or s3://bucket/prefix")
    store = StudyStore(storage_uri("--study", args.study))
    store.place.check()
    store.pull()
    plan = read_plan(store.folder)
    store.fetch_shown_checkpoints()
    summary = conclude(plan, store.folder, planned_data(plan).open(), include_faces=args.include_faces)
    store.push()
    for claim in summary.claims:
        print(f"{claim.question}\n  {claim.sentence}")
    states = [trial.state for trial in summary.trials]
    print(f"runs     {', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))}")
    print(f"report   {store.place}/report.html")


if __name__ == "__main__":
    run_job(main, Report, __doc__)

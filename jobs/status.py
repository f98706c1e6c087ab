"""Say how far a study is, from its folder or bucket: arms, trials, rate, time left, failures; of a search the candidates.

Says too which version of which data set it rests on, and whether that can still be used. Needs no cluster.
"""

import json
import time
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import DataSet, planned_data
from cluster.storage.objects import Unreachable
from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.report.search_text import search_lines
from facegan.report.status_table import status_lines
from facegan.study.analysis.study_status import StudyStatus, study_status
from facegan.study.folder.study_folder import read_plan
from facegan.study.search.results import summarise_search


@dataclass(frozen=True, kw_only=True)
class Status:
    """Arguments of jobs/status.py."""

    study: Annotated[str, tyro.conf.Positional] = ""
    """Study folder or s3://bucket/prefix."""
    watch: float = 0
    """Seconds between two looks, until the study has ended; 0: look once."""
    json: bool = False
    """Print one JSON object for each look, in place of a table."""


def main(args: Status) -> None:
    """Print the status, once or until the study has ended."""
    if not args.study:
        raise UserError("the study is missing: jobs/status.py <folder or s3://bucket/prefix>")
    if args.watch < 0:
        raise UserError(f"--watch is {args.watch:g}: seconds between two looks, or 0 to look once")
    store = StudyStore(storage_uri("the study", args.study))
    store.location.check()
    while True:
        store.pull()
        plan = read_plan(store.folder, "the study", location=args.study)
        status = study_status(plan, store.folder, store.job_since(), store.has_job())
        search = summarise_search(plan, store.folder) if plan.search else None
        data = planned_data(plan)
        gone = _why_gone(data)
        if args.json:
            about = {**data.to_dict(), "gone": gone}
            print(json.dumps({**asdict(status), "search": search and asdict(search), "data": about}), flush=True)
        else:
            lines = [*status_lines(status), *(["", *search_lines(search)] if search else [])]
            lines += ["", f"data     {gone or f'{data.uri}, version {data.version}'}"]
            print("\n".join(lines), end="\n\n" if args.watch else "\n", flush=True)
        if not args.watch or _has_ended(status):
            return
        time.sleep(args.watch)


def _why_gone(data: DataSet) -> str:
    """Why the study's version of its data cannot be used, or cannot be checked; empty if it can be used."""
    try:
        return data.why_gone()
    except Unreachable as silent:
        return f"{data.uri}, version {data.version}, which cannot be checked: {silent}"


def _has_ended(status: StudyStatus) -> bool:
    return all(trial.state not in ("PENDING", "RUNNING", "PAUSED") for trial in status.trials)


if __name__ == "__main__":
    run_job(main, Status, __doc__)

"""Open the live page of a study: move a face's landmarks, and the generators of all arms draw it at once, in the browser.

Writes a folder that any web server can serve, and serves it to this machine until Ctrl-C. Needs no cluster.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import planned_data
from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.live.checks import check_faces, check_out
from facegan.live.server import LiveServer
from facegan.records import read_record
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.folder.study_folder import read_plan


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Arguments of jobs/serve.py."""

    study: Annotated[str, tyro.conf.Positional] = ""
    """Study folder or s3://bucket/prefix."""
    out: str = ""
    """Folder to write the page into; by default live/ in the study's folder, of a study in a bucket live-<id> here."""
    port: int = 0
    """Port to serve on, of this machine only; 0: a free one."""
    export_only: bool = False
    """Write the folder and end."""
    include_faces: bool = False
    """Put images of real people into the folder, if the study's data set has real people. Do not publish it then."""


def main(args: Serve) -> None:
    """Check the arguments, write the folder, and serve it."""
    if not args.study:
        raise UserError("the study is missing: jobs/serve.py <folder or s3://bucket/prefix>")
    if not 0 <= args.port <= 65535:
        raise UserError(f"--port is {args.port}: from 0 to 65535")
    store = StudyStore(storage_uri("the study", args.study))
    store.location.check()
    store.pull()
    plan = read_plan(store.folder, "the study", location=args.study)
    data = planned_data(plan)
    check_faces(data.manifest().synthetic, args.include_faces)
    out = Path(args.out or (f"live-{plan.id()}" if store.location.is_remote else store.folder / "live"))
    check_out(out)
    store.fetch_shown_checkpoints()
    if not shown_trials(plan, store.folder):
        raise UserError(f"the study is {args.study!r}: no run has a checkpoint yet; let jobs/ablate.py train it first")
    server = None if args.export_only else LiveServer(out, args.port)

    # torch takes seconds to import, which a wrong flag must not wait for.
    from facegan.live.folder import write_live_folder
    from facegan.study.conclusions.summary import Summary

    summary = read_record(Summary, store.folder / "summary.json", "make it again with jobs/report.py")
    live = write_live_folder(out, store.folder, plan, data.open(), summary, include_faces=args.include_faces)
    for arm in live.arms:
        print(f"network  {arm.label}: {arm.bytes / 1e6:.1f} MB, within {arm.difference:.2g} grey levels of PyTorch's drawings")
    for arm_and_reason in live.missing:
        print(f"network  none of {arm_and_reason}")
    print(f"folder   {out}: {sum(file.stat().st_size for file in out.rglob('*') if file.is_file()) / 1e6:.1f} MB", flush=True)
    if server is not None:
        _serve(server)


def _serve(server: LiveServer) -> None:
    print(f"page     {server.url}  (Ctrl-C ends it)", flush=True)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nended")


if __name__ == "__main__":
    run_job(main, Serve, __doc__)

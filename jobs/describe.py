"""Say what is in a data set, and draw a contact sheet of it with landmarks.

Frames of real people are drawn too: do not pass such a sheet on.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import existing
from cluster.storage.uri import storage_uri
from facegan.data.describe import describe
from facegan.data.manifest import read_quarantine
from facegan.errors import UserError
from facegan.report.sheets import contact_sheet


@dataclass(frozen=True, kw_only=True)
class Describe:
    """Arguments of jobs/describe.py."""

    data: str = ""
    """A data set made by jobs/ingest.py: a folder or s3://bucket/prefix."""
    sheet: Path = Path("contact_sheet.png")
    """Where to draw the contact sheet."""
    people: int = 12
    """Clips on the sheet, evenly chosen."""


def main(args: Describe) -> None:
    """Read the newest version by way of this machine's copy of it."""
    if not args.data:
        raise UserError("--data is missing: name a data set, a folder or s3://bucket/prefix")
    if args.people < 1:
        raise UserError(f"--people is {args.people}: at least 1")
    if args.sheet.suffix.lower() != ".png" or not args.sheet.resolve().parent.is_dir():
        raise UserError(f"--sheet is {str(args.sheet)!r}: a .png in a folder that exists")
    where = storage_uri("--data", args.data)
    found = existing(where)
    data = found.open()
    quarantine = read_quarantine(where.read(data.manifest.quarantine.file))
    print(f"{where}: version {found.version}, sha256 {found.sha256[:12]}")
    print("\n".join(describe(data, quarantine)))
    cv2.imwrite(str(args.sheet), contact_sheet(data, args.people)[:, :, ::-1])
    print(f"\nsheet    {args.sheet}")


if __name__ == "__main__":
    run_job(main, Describe, __doc__)

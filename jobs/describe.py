"""Describe a data set, rank its clips by doubt, and draw a contact sheet of its faces with landmarks.

The sheet shows real people if the data set does: do not publish it.
"""

from dataclasses import dataclass
from pathlib import Path

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import existing
from cluster.datasets.removed import version_lines
from cluster.storage.uri import storage_uri
from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Describe:
    """Arguments of jobs/describe.py."""

    data: str = ""
    """Data set made by jobs/ingest.py: a folder or s3://bucket/prefix. Its newest version is read."""
    sheet: Path = Path("contact_sheet.png")
    """PNG file to draw the contact sheet into."""
    people: int = 12
    """Clips on the sheet: up to half of them the most doubtful, the others evenly spaced among all."""


def main(args: Describe) -> None:
    """Check the arguments, print the description and write the contact sheet."""
    if not args.data:
        raise UserError("--data is missing: name a data set, a folder or s3://bucket/prefix")
    if args.people < 1:
        raise UserError(f"--people is {args.people}: at least 1")
    if args.sheet.suffix.lower() != ".png" or not args.sheet.resolve().parent.is_dir():
        raise UserError(f"--sheet is {str(args.sheet)!r}: a .png file in an existing folder")
    uri = storage_uri("--data", args.data)
    data_set = existing(uri)

    # torch takes seconds to import, which a wrong flag must not wait for.
    import cv2

    from facegan.data.reading.describe import describe
    from facegan.data.reading.doubt import clips_by_doubt, doubt_lines
    from facegan.report.sheets import contact_sheet

    data = data_set.open()
    quarantine = data_set.quarantine().rows()
    print(f"{uri}: version {data_set.version}, sha256 {data_set.sha256[:12]}")
    doubts = clips_by_doubt(data, quarantine, data_set.frames_without_face())
    for line in [*version_lines(uri, data_set.version), *describe(data, quarantine), "", *doubt_lines(doubts)]:
        print(line)
    doubtful = [one.clip for one in doubts if one.doubt]
    cv2.imwrite(str(args.sheet), contact_sheet(data, args.people, first=doubtful)[:, :, ::-1])
    print(f"\nsheet    {args.sheet}")


if __name__ == "__main__":
    run_job(main, Describe, __doc__)

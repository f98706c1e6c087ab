"""What a live page is refused for, before anything is written."""

from pathlib import Path

from facegan.errors import UserError

LIVE = "live.json"
"""The file that says what the page shows. A folder that has it is a live page, and may be written anew."""


def check_out(out: Path) -> None:
    """Raise UserError if a folder cannot be written anew: it holds something other than a live page."""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out is {str(out)!r}: a file; name a folder")
    if out.exists() and not (out / LIVE).exists() and any(out.iterdir()):
        raise UserError(f"--out is {str(out)!r}: a folder that contains other files; name a new one")


def check_faces(synthetic: bool, include_faces: bool) -> None:
    """Raise UserError if images of real people would be written without being asked for."""
    if not synthetic and not include_faces:
        raise UserError(
            "the study's people are real, and the page would hold images of them; give --include_faces True, and do not "
            "publish the folder"
        )

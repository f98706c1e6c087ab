"""What a video is made of and how, and what is refused before anything is read. Imports nothing heavy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facegan.errors import UserError, did_you_mean
from facegan.landmarks.finder import FINDERS, FinderName
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial

MotionKind = Literal["relative", "absolute"]
ReferenceKind = Literal["nearest", "first"]
SCORES, PROVENANCE = ".scores.parquet", ".provenance.json"
"""What the names of the files beside a video end in, in place of .mp4."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReenactOptions:
    """How a video is made. Raises UserError for a value out of range."""

    motion: MotionKind = "relative"
    """relative: the person's own landmarks, moved by how the driving face differs from its reference frame. absolute: the
    driving face's landmarks, so that the person also takes the shape of that face."""
    reference: ReferenceKind = "nearest"
    """The driving frame in which the two faces are matched. nearest: that whose landmarks, without place and size, are nearest
    to the source's; the clip is read twice. first: the first frame with a face."""
    landmarks: Literal["auto", "annotations", FinderName] = "auto"
    """Where landmarks come from: .pts files (annotations), or a detector. auto: .pts files where there are any, else dlib."""
    landmark_weights: str = ""
    """Folder or URI with face-alignment's two files; by default torch's download folder."""
    paste: bool = True
    """Put the drawn face back into the photo, with a soft edge. False: show the bare crops."""
    mark: bool = True
    """Write on each drawn picture that a network drew it. False leaves the mark out, and the JSON file says so."""
    warped: bool = False
    """Add a column for comparison: the source warped to the target landmarks, without a network."""
    height: int = 320
    """Height of a column's picture, pixels: an even number from 64 to 2160."""
    rate: float = 25.0
    """Frames a second, 1 to 240, where the driving clip is a folder of images, which has no rate of its own."""
    frames: int = 0
    """Take only so many frames of the driving clip; 0: all."""

    def __post_init__(self) -> None:
        if not 64 <= self.height <= 2160 or self.height % 2:
            raise UserError(f"--height is {self.height}: an even number from 64 to 2160")
        if not 1 <= self.rate <= 240:
            raise UserError(f"--rate is {self.rate:g}: from 1 to 240 frames a second")
        if self.frames < 0:
            raise UserError(f"--frames is {self.frames}: at least 0, which takes all")
        if self.landmark_weights and (self.landmarks not in FINDERS or not FINDERS[self.landmarks].takes_weights):
            able = " or ".join(name for name, finder in FINDERS.items() if finder.takes_weights)
            raise UserError(f"--landmark_weights is for --landmarks {able}, not {self.landmarks}")

    @property
    def annotated(self) -> bool | None:
        """Whether landmarks come from .pts files; None: where there are any."""
        return None if self.landmarks == "auto" else self.landmarks == "annotations"

    @property
    def detector(self) -> FinderName:
        """What finds landmarks where no .pts file gives them."""
        return "dlib" if self.landmarks == "auto" or self.landmarks == "annotations" else self.landmarks


def files_beside(out: Path) -> tuple[Path, Path]:
    """The files of scores and of provenance of a video."""
    return out.with_name(out.stem + SCORES), out.with_name(out.stem + PROVENANCE)


def check_out(out: Path, replace: bool) -> None:
    """Raise UserError if a video cannot be written to a file, or if it or a file beside it exists and is not to be replaced."""
    if out.suffix.lower() != ".mp4":
        raise UserError(f"--out is {str(out)!r}: a file whose name ends in .mp4")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out is {str(out)!r}: its folder does not exist; make it, or name another")
    for file in (out, *files_beside(out)):
        if file.is_dir():
            raise UserError(f"--out is {str(out)!r}: {file.name} is a folder; name another file")
        if file.exists() and not replace:
            raise UserError(f"--out is {str(out)!r}: {file.name} exists; name another file, or give --replace True")


def chosen_arms(plan: Plan, shown: Mapping[str, Trial], asked: Sequence[str]) -> list[tuple[Arm, Trial]]:
    """The arms to draw, in the plan's order, each with the trial that represents it; `asked` are names or labels, empty: all.

    Raises UserError for an arm that the study lacks, or that was asked for and has no checkpoint, and if no arm is left.
    """
    known = {name: arm for arm in plan.arms for name in (arm.label, arm.name)}
    for name in asked:
        if name not in known:
            raise UserError(f"--arms has {name!r}: {did_you_mean(name, [arm.name for arm in plan.arms])}")
        if known[name].name not in shown:
            raise UserError(f"--arms has {name!r}: none of its runs has a checkpoint yet; leave it out, or train it first")
    wanted = {known[name].name for name in asked} or set(shown)
    if not wanted:
        raise UserError("no run of the study has a checkpoint yet; let jobs/ablate.py train it first")
    return [(arm, shown[arm.name]) for arm in plan.arms if arm.name in wanted]

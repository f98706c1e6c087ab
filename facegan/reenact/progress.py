"""What the console says of a video: how far it is, and what was made."""

import time
from collections.abc import Sequence
from pathlib import Path

from facegan.reenact.film import FrameCounts, Reenactment
from facegan.reenact.frame_scores import FrameScores, result_lines
from facegan.reenact.options import files_beside
from facegan.report.formatting import duration
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial


class VideoProgress:
    """The frames of a video, of which the header of the driving clip claims `total`; 0: it does not say."""

    def __init__(self, counts: FrameCounts, total: int) -> None:
        self._counts, self._total, self._started = counts, total, time.monotonic()

    def text(self) -> str:
        """Share done, frames, frames a second, and the remaining time."""
        done = self._counts.shown
        if not self._counts.reference:
            return f"video    {self._counts.compared} frames compared with the source"
        rate = done / max(time.monotonic() - self._started, 1e-9)
        if not self._total:
            return f"video    {done} frames  {rate:.1f} frames/s"
        eta = duration(max(self._total - done, 0) / rate) if done else "-"
        return f"video    {done / self._total:4.0%}  {done}/{self._total} frames  {rate:.1f} frames/s  ETA {eta}"


def opening_lines(plan: Plan, arms: Sequence[tuple[Arm, Trial]], reenactment: Reenactment) -> list[str]:
    """What the video is made of, before it is made."""
    source, driving = reenactment.source, reenactment.driving
    lines = [f"source   {source.line()}", f"driving  {driving.line()}"]
    if not (source.rendered and driving.rendered):
        lines.append("faces    the video may show real people: do not publish it without their consent")
    lines.append("arms     " + ", ".join(f"{arm.label} (seed {trial.seed})" for arm, trial in arms))
    left_out = [arm.label for arm in plan.arms if arm.label not in reenactment.arms]
    return lines + [f"         not drawn: {label}" for label in left_out]


def closing_lines(out: Path, scores: FrameScores, counts: FrameCounts) -> list[str]:
    """The scores of the arms, what became of the frames of the driving clip, and the files."""
    table, provenance = files_beside(out)
    sound = f"sound: {counts.sound}" if counts.sound else "no sound"
    return [
        *result_lines(scores.results(), counts.drawn),
        *scores.notes(),
        "",
        f"motion   measured from frame {counts.reference} of the driving clip",
        f"video    {out}: {counts.shown} frames = {counts.drawn} drawn + {counts.held.total()} held; {sound}",
        *(f"         held: {count} x {reason}" for reason, count in counts.held.items()),
        *(f"         not in the video: {count} x {reason}" for reason, count in counts.absent.items()),
        f"scores   {table}  (a row for each frame and arm)",
        f"made by  {provenance}  (in C2PA's terms, not signed)",
    ]

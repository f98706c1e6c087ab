"""Move a face by a video: a photo (or a clip) and a driving clip -> an mp4 with what every arm of a study draws, side by side.

Beside the video lie following and identity of each frame and arm, and a JSON file that says how the video was made. What a
network drew is marked. Needs no cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.dataset import planned_data
from cluster.runtime.ticker import every
from cluster.storage.uri import storage_uri
from cluster.storage.weights import stage_landmark_weights
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.landmarks.finder import FINDERS, LandmarkFinder
from facegan.reenact.inputs import RENDERED, Landmarks, check_path
from facegan.reenact.options import ReenactOptions, check_out, chosen_arms
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.folder.study_folder import MANIFEST, read_plan

_SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True, kw_only=True)
class Reenact:
    """Arguments of jobs/reenact.py."""

    study: Annotated[str, tyro.conf.Positional] = ""
    """Study folder or s3://bucket/prefix."""
    source: str = RENDERED
    """Whose face is moved: a photo, or a clip, of which the first frame with a face is taken. By default a rendered person."""
    driving: str = RENDERED
    """What moves it: a video, a folder in the 300VW layout (vid.avi, annot) or of images. By default a second rendered one."""
    out: Path = Path("reenactment.mp4")
    """Video to write. Its scores and how it was made lie beside it."""
    replace: bool = False
    """Write over an earlier video of that name."""
    arms: tuple[str, ...] = ()
    """Arms to draw, by name or label; by default all that have a checkpoint."""
    options: Annotated[ReenactOptions, tyro.conf.arg(name="")] = field(default_factory=ReenactOptions)


def main(args: Reenact) -> None:
    """Check the arguments, then make the video."""
    if not args.study:
        raise UserError("the study is missing: jobs/reenact.py <folder or s3://bucket/prefix>")
    check_out(args.out, args.replace)
    check_path(args.source, "--source", photo=True)
    check_path(args.driving, "--driving", photo=False)
    store = StudyStore(storage_uri("the study", args.study))
    store.location.check()
    store.pull()
    plan = read_plan(store.folder, "the study", location=args.study)
    store.fetch_shown_checkpoints()
    arms = chosen_arms(plan, shown_trials(plan, store.folder), args.arms)

    # torch takes seconds to import, which a wrong flag must not wait for.
    from facegan.reenact.crops import ingest_of_copy
    from facegan.reenact.files import write_files
    from facegan.reenact.film import FrameCounts
    from facegan.reenact.opening import arm_drawers, best_device, open_reenactment, open_scores
    from facegan.reenact.progress import VideoProgress, closing_lines, opening_lines
    from facegan.reenact.provenance import provenance_of

    device = best_device()
    ingest = ingest_of_copy(store.folder / MANIFEST) or planned_data(plan).manifest().ingest
    landmarks = Landmarks(args.options.annotated, _finder(args.options, device))
    drawers = arm_drawers(store.folder, arms, ingest.size, device)
    reenactment = open_reenactment(args.source, args.driving, landmarks, ingest, args.options, drawers)
    print("\n".join(opening_lines(plan, arms, reenactment)), flush=True)
    provenance = provenance_of(plan, arms, reenactment.source, reenactment.driving, args.options)
    scores, counts = open_scores(reenactment, device), FrameCounts()
    progress = VideoProgress(counts, reenactment.total)
    with every(_SECONDS_BETWEEN_LINES, lambda: print(progress.text(), flush=True)):
        write_files(args.out, reenactment, scores, provenance, counts)
    print("\n".join([progress.text(), "", *closing_lines(args.out, scores, counts)]))


def _finder(options: ReenactOptions, device: str) -> Callable[[], LandmarkFinder]:
    """Builds the detector when it is needed first."""

    @cache
    def build() -> LandmarkFinder:
        weights = stage_landmark_weights(options.landmark_weights) if options.landmark_weights else None
        return FINDERS[options.detector].build(device, weights)

    return build


if __name__ == "__main__":
    run_job(main, Reenact, __doc__)

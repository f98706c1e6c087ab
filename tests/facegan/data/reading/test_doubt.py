"""Clips by doubt: what speaks against a clip is named in words, the worst clip first."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.doubt import clips_by_doubt, doubt_lines
from facegan.data.reading.face_data import FaceData, open_data
from facegan.data.reading.local_copy import ingest_folder
from facegan.data.versions.quarantine import QuarantineTable
from facegan.landmarks.points import read_pts
from tests.facegan.data.ingest.videos import write_pts

Found = tuple[FaceData, list[Quarantined]]


@pytest.fixture
def ingested(clips: Path, tmp_path: Path) -> Callable[[Callable[[Path], object]], Found]:
    """The data set of the rendered clips after a change of their annotations, and its rejected frames."""

    def make(change: Callable[[Path], object]) -> Found:
        root, out = shutil.copytree(clips, tmp_path / "source"), tmp_path / "data"
        change(root)
        manifest = ingest_folder(clips_in(root), root, out, IngestConfig(size=32), synthetic=True)
        return open_data(out), QuarantineTable((out / manifest.quarantine.file).read_bytes()).rows()

    return make


def moved(root: Path, frames: range, by: float) -> None:
    for frame in frames:
        file = root / "1003" / "annot" / f"{frame:06d}.pts"
        points = read_pts(file)
        write_pts(file, points + np.array([0, by * np.ptp(points, axis=0).max()], np.float32))


def test_whole_clips_are_not_in_doubt(data: FaceData) -> None:
    found = clips_by_doubt(data, [], {})
    assert [one.clip for one in found] == [clip.clip for clip in data.manifest.clips]
    assert not any(one.doubt or one.reasons for one in found)
    assert list(doubt_lines(found)) == ["0 of 7 clips are in doubt"]


def test_landmarks_that_leave_the_face_for_several_frames_are_named(
    ingested: Callable[[Callable[[Path], object]], Found],
) -> None:
    data, quarantine = ingested(lambda root: moved(root, range(3, 5), 0.6))
    assert quarantine == [], "which side of a jump is wrong cannot be seen"
    worst, *others = clips_by_doubt(data, quarantine, {})
    assert worst.clip == "1003" and worst.doubt == pytest.approx(4 / 6) and not any(one.doubt for one in others)
    assert worst.reasons == ("the landmarks jump 2 times by over 0.3 of the face's size; 4 frames lie beyond",)


def test_rejected_frames_and_a_detectors_doubt_are_ranked_by_their_share(
    ingested: Callable[[Callable[[Path], object]], Found],
) -> None:
    data, quarantine = ingested(lambda root: (root / "1002" / "annot" / "000006.pts").unlink())
    first, second, third, *_ = clips_by_doubt(data, quarantine, {"5001": 3})
    assert (first.clip, first.reasons) == ("5001", ("a detector finds no face in 3 of 6 frames",))
    assert (second.clip, second.reasons) == ("1002", ("1 of 6 frames rejected: annotation missing",))
    assert third.doubt == 0
    assert list(doubt_lines([first, second])) == [
        "2 of 2 clips are in doubt, the most doubtful first",
        "   50.0%  5001: a detector finds no face in 3 of 6 frames",
        "   16.7%  1002: 1 of 6 frames rejected: annotation missing",
    ]


def test_other_sizes_and_small_faces_are_named(ingested: Callable[[Callable[[Path], object]], Found]) -> None:
    def shrink(root: Path) -> None:
        for clip, frames, scale in (("1001", range(1, 3), 0.6), ("1004", range(1, 7), 0.3)):
            for frame in frames:
                file = root / clip / "annot" / f"{frame:06d}.pts"
                points = read_pts(file)
                write_pts(file, points[30] + scale * (points - points[30]))

    data, quarantine = ingested(shrink)
    found = {one.clip: one.reasons for one in clips_by_doubt(data, quarantine, {})}
    assert "the face is 1.5 times larger or smaller than usual in 2 of 6 frames" in found["1001"]
    assert found["1004"] == ("the face is smaller than 32 pixels in 6 of 6 frames",)

"""A detector's second opinion on annotations: landmarks beside the face are rejected, and faces that it misses are counted."""

import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from facegan.data.ingest.clip_record import ClipRecord
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.shards import writing_clip
from facegan.data.ingest.sources import clips_in
from facegan.errors import UserError
from facegan.landmarks.dlib_check import distance, dlib_check
from facegan.landmarks.finder import DISAGREES, NO_FACE_NEAR
from facegan.landmarks.points import EYE_CORNERS, read_pts
from facegan.synthetic.clips import write_synthetic
from tests.facegan.data.ingest.videos import face_points, write_pts

CONFIG = IngestConfig(size=32, check_landmarks="dlib")


@pytest.fixture(scope="module")
def found_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of rendered people whose faces dlib finds."""
    root = tmp_path_factory.mktemp("found")
    write_synthetic(root, people=2, test_people=1, frames=8, size=96, seed=2, workers=1)
    return root


check_of = cache(dlib_check)  # loads 100 MB


def record(root: Path, into: Path, config: IngestConfig = CONFIG) -> ClipRecord:
    check = check_of() if config.check_landmarks == "dlib" else None
    *_, last = writing_clip(clips_in(root)[0], root, into, config, "0" * 64, None, check)
    assert isinstance(last, ClipRecord)
    return last


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.6), (0.0, -0.4), (0.4, 0.0)], ids=["neck", "forehead", "side"])
def test_a_quarter_of_the_annotations_beside_the_face_is_rejected(
    found_faces: Path, tmp_path: Path, right: float, down: float
) -> None:
    root = shutil.copytree(found_faces, tmp_path / "source")
    clip = clips_in(root)[0].clip
    for number in (4, 5):
        file = root / clip / "annot" / f"{number:06d}.pts"
        points = read_pts(file)
        write_pts(file, points + np.ptp(points, axis=0).max() * np.array([right, down]))
    unchecked = record(root, tmp_path, IngestConfig(size=32))
    assert unchecked.rows == 8, "no check of the landmarks alone can see it"
    checked = record(root, tmp_path)
    assert [(bad.frame, bad.reason) for bad in checked.quarantined] == [(4, DISAGREES), (5, DISAGREES)]
    assert (checked.rows, checked.doubtful) == (6, 0)
    assert checked.key != unchecked.key


def test_whole_annotations_pass(found_faces: Path, tmp_path: Path) -> None:
    found = record(found_faces, tmp_path)
    assert (found.rows, found.quarantined, found.doubtful) == (8, [], 0)


def test_a_picture_without_a_face_is_doubtful_but_not_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    assert check_of()(noise, face_points(100, 100, 80)) == NO_FACE_NEAR


def test_frames_without_a_face_are_kept_and_counted(found_faces: Path, tmp_path: Path) -> None:
    *_, found = writing_clip(
        clips_in(found_faces)[0], found_faces, tmp_path, CONFIG, "0" * 64, None, lambda image, points: NO_FACE_NEAR
    )
    assert isinstance(found, ClipRecord) and (found.rows, found.doubtful) == (8, 8)


def test_the_distance_is_relative_to_the_eyes() -> None:
    face = face_points(100, 100, 80)
    apart = float(np.linalg.norm(face[EYE_CORNERS[1]] - face[EYE_CORNERS[0]]))
    assert distance(face + np.array([apart, 0], np.float32), face) == pytest.approx(1)
    assert distance(2 * face + np.array([2 * apart, 0], np.float32), 2 * face) == pytest.approx(1)


def test_a_detector_does_not_check_itself() -> None:
    with pytest.raises(UserError, match="check_landmarks is 'dlib' with landmarks 'dlib': only annotations are checked"):
        IngestConfig(landmarks="dlib", check_landmarks="dlib")

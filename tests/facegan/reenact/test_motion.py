"""From the motion of a driving face to target landmarks."""

import numpy as np
import pytest

from facegan.errors import UserError
from facegan.reenact.motion import Motion, pose_distance
from facegan.reenact.options import MotionKind
from tests.facegan.data.ingest.videos import face_points

LOWER_LIP = [65, 66, 67]


def with_open_mouth(points: np.ndarray, pixels: float) -> np.ndarray:
    opened = points.copy()
    opened[LOWER_LIP, 1] += pixels
    return opened


def other_face(x: float, y: float, size: float) -> np.ndarray:
    """A face that is narrower than `face_points`, with the same place and height."""
    points = face_points(x, y, size)
    points[:, 0] = x + 0.8 * (points[:, 0] - x)
    return points


def test_a_clip_that_stays_like_its_first_frame_leaves_the_source_as_it_is() -> None:
    source, driving = face_points(60, 64, 60), other_face(70, 50, 90)
    targets = Motion(source, driving, "relative").targets(np.stack([driving, driving]))
    np.testing.assert_allclose(targets, np.stack([source, source]), atol=1e-4)


def test_relative_motion_is_scaled_by_the_ratio_of_sizes() -> None:
    source = face_points(60, 64, 60)
    driving = face_points(10, 10, 120)
    (target,) = Motion(source, driving, "relative").targets(with_open_mouth(driving, 10)[None])
    np.testing.assert_allclose(target, with_open_mouth(source, 5), atol=1e-3)


def test_absolute_motion_takes_the_driving_faces_shape_at_the_sources_size_and_place() -> None:
    source, driving = face_points(60, 64, 60), other_face(200, 150, 90)
    (target,) = Motion(source, driving, "absolute").targets(driving[None])
    np.testing.assert_allclose(target.mean(axis=0), source.mean(axis=0), atol=1e-3)
    size = [np.sqrt(np.square(p - p.mean(axis=0)).sum(axis=1).mean()) for p in (target, source)]
    assert size[0] == pytest.approx(size[1], rel=1e-5)
    ratio = np.ptp(target, axis=0) / np.ptp(driving, axis=0)
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-4), "no part of the shape is the source's"
    assert np.abs(target - source).max() > 2


def test_absolute_and_relative_motion_differ_by_a_constant() -> None:
    source, driving = face_points(60, 64, 60), other_face(70, 50, 90)
    moved = np.stack([driving, with_open_mouth(driving, 12), driving + np.array([3, -2])])
    relative, absolute = (Motion(source, driving, kind).targets(moved) for kind in ("relative", "absolute"))
    np.testing.assert_allclose(absolute - relative, np.repeat((absolute - relative)[:1], 3, axis=0), atol=1e-3)


@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_the_size_and_place_of_the_driving_face_do_not_matter(kind: MotionKind) -> None:
    source, driving = face_points(60, 64, 60), other_face(40, 40, 50)
    clip = np.stack([driving, with_open_mouth(driving, 6)])
    near, far = (
        Motion(source, frames[0], kind).targets(frames) for frames in (clip, (3.7 * clip + [500, 90]).astype(np.float32))
    )
    np.testing.assert_allclose(near, far, atol=2e-3)


def test_the_distance_of_two_poses_is_that_of_shapes_whatever_their_place_and_size() -> None:
    source = face_points(60, 64, 60)
    assert pose_distance(source, (3.7 * source + [500, 90]).astype(np.float32)) == pytest.approx(0, abs=1e-6)
    distances = [pose_distance(source, with_open_mouth(other_face(10, 20, 90), pixels)) for pixels in (0, 5, 10)]
    assert 0.01 < distances[0] < distances[1] < distances[2]


def test_landmarks_in_one_place_are_refused() -> None:
    with pytest.raises(UserError, match="lie in one place"):
        Motion(face_points(), np.zeros((68, 2), np.float32), "relative")

"""Which points are taken for a face: real poses pass, whatever cannot be a face is named."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.landmarks.plausible import APART, EXCHANGED, NOT_FINITE, ONE_PLACE, UPSIDE_DOWN, why_implausible
from facegan.landmarks.points import mirror_permutation
from tests.facegan.data.ingest.videos import face_points

Points = NDArray[np.float32]
FACE = face_points(200, 150, 100)


def turned(points: Points, degrees: float) -> Points:
    angle, centre = np.radians(degrees), points.mean(axis=0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((points - centre) @ turn + centre, np.float32)


def with_point(number: int, x: float, y: float) -> Points:
    points = FACE.copy()
    points[number] = x, y
    return points


@pytest.mark.parametrize("degrees", [-110, -60, 0, 30, 90])
@pytest.mark.parametrize("narrow", [1.0, 0.3, 0.05])
def test_tilted_faces_and_faces_turned_to_the_side_pass(degrees: float, narrow: float) -> None:
    """Seen from the side, a face is narrow."""
    points = FACE * np.array([narrow, 1], np.float32)
    assert why_implausible(turned(points, degrees)) == ""


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (with_point(5, 99999, -99999), APART),
        (with_point(5, 9999, -9999), APART),
        (with_point(66, 200, 700), APART),
        (with_point(5, np.inf, 3), NOT_FINITE),
        (with_point(5, np.nan, 3), NOT_FINITE),
        (np.full((68, 2), 40, np.float32), ONE_PLACE),
        (face_points(200, 150, 3), ONE_PLACE),
        (FACE[:, ::-1], EXCHANGED),
        (FACE[mirror_permutation()], EXCHANGED),
        (FACE * np.array([-1, 1], np.float32), EXCHANGED),
        (turned(FACE, 180), UPSIDE_DOWN),
    ],
)
def test_points_that_are_no_face_are_named(points: Points, reason: str) -> None:
    assert why_implausible(points) == reason

"""The geometry of a synthetic head: its shape, pose and projection, and the 68 landmarks.

Head coordinates are in millimetres: right in the image, down, and forward towards the camera, with the origin between the
ears. Image coordinates are in pixels, and whole numbers are pixel centres.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.motion import Moment, express
from facegan.synthetic.person import Build

Array = NDArray[np.float64]

# Of a mean face: a landmark, its mirror image, and their coordinates (distance from the middle, down, forward).
MEAN_HALF = (
    (0, 16, 72, -30, 2), (1, 15, 72, -11, 4), (2, 14, 69.5, 7.5, 6),
    (3, 13, 65.5, 26, 9), (4, 12, 58.5, 42.5, 13), (5, 11, 47.5, 56.5, 21),
    (6, 10, 33.5, 67, 33), (7, 9, 17.5, 75, 46), (8, 8, 0, 77, 51),
    (17, 26, 60.5, -50, 37), (18, 25, 51, -59, 45), (19, 24, 38, -62.5, 53),
    (20, 23, 24.5, -61.5, 60), (21, 22, 12, -57, 64), (27, 27, 0, -42, 64),
    (28, 28, 0, -31, 71), (29, 29, 0, -20, 79), (30, 30, 0, -8.5, 87),
    (31, 35, 15, 2.5, 70), (32, 34, 7.5, 4.7, 73), (33, 33, 0, 6.5, 75),
    (36, 45, 45.5, -38, 44), (37, 44, 37.5, -42.7, 49), (38, 43, 28, -42.9, 51),
    (39, 42, 19.5, -37, 50), (40, 47, 28.3, -35, 50), (41, 46, 37.8, -35, 48),
    (48, 54, 28, 29.5, 54), (49, 53, 18, 24, 64), (50, 52, 7.2, 20.8, 70),
    (51, 51, 0, 22.3, 71), (57, 57, 0, 39, 70), (58, 56, 8.2, 38.4, 69),
    (59, 55, 18.5, 35.2, 63), (60, 64, 24.5, 29.5, 56), (61, 63, 7.7, 28.6, 69),
    (62, 62, 0, 29, 70), (66, 66, 0, 30, 70), (67, 65, 7.8, 29.6, 69),
)  # fmt: skip

# The profile without the nose, from the crown to above the chin, as (down, forward).
PROFILE = (
    (-125, 5), (-115, 32), (-100, 50), (-80, 60), (-60, 63), (-42, 58), (0, 62), (30, 66), (48, 60),
)  # fmt: skip
# The outline of the head above the ears, as (down, half width, forward).
TEMPLE = ((-125, 12, 0), (-115, 34, 3), (-100, 54, 5), (-80, 66, 5), (-60, 71, 4), (-45, 72, 3))


@dataclass(frozen=True)
class Head:
    """A head in one frame: 68 points [68, 3] in mm, rotation [3, 3], centre [2] in pixels, scale in pixels per mm."""

    points: Array
    rotation: Array
    centre: Array
    scale: float
    moment: Moment

    def project(self, points: Array) -> Array:
        """Image coordinates [..., 2] of points [..., 3] of the head, by weak perspective projection."""
        return (points @ self.rotation.T)[..., :2] * self.scale + self.centre

    def surface(self, across: Array, down: Array) -> Array:
        """Points [..., 3] of the face's surface; `across` goes from -1 to 1 between the edges of the head, `down` is in mm."""
        half, edge, middle = self._rows(down)
        bulge = np.sqrt(np.clip(1 - np.abs(across) ** 2.3, 0, 1))
        return np.stack([across * half, down, edge + (middle - edge) * bulge], axis=-1)

    def _rows(self, down: Array) -> tuple[Array, Array, Array]:
        jaw, chin = self.points[8:17][::-1], self.points[8]
        temple = np.array(TEMPLE) * (1, jaw[0, 0] / 72, 1)
        knots = np.concatenate([temple[:, 0], jaw[:, 1]])
        half = np.interp(down, knots, np.concatenate([temple[:, 1], jaw[:, 0]]))
        edge = np.interp(down, knots, np.concatenate([temple[:, 2], jaw[:, 2]]))
        profile = np.array([*PROFILE, (chin[1] - 12, 58), (chin[1], chin[2])])
        return half, edge, np.interp(down, profile[:, 0], profile[:, 1])

    def landmarks(self) -> Array:
        """[68, 2]: the landmarks in the image. Those of the jaw lie on the visible edge of the face, as annotators do it."""
        side = np.sign(np.arange(17) - 8)[:, None]
        inward = np.linspace(1, 0.3, 29)
        rows = self.surface(side * inward, np.repeat(self.points[:17, 1:2], len(inward), axis=1))
        outward = side * (rows @ self.rotation.T)[..., 0]
        projected = self.project(self.points)
        projected[:17] = self.project(rows[np.arange(17), outward.argmax(axis=1)])
        return projected


def pose_head(neutral: Array, moment: Moment, width: int, height: int) -> Head:
    """The head with these points [68, 3] at rest, in a frame of `width` by `height` pixels at a moment."""
    points = express(neutral, moment)
    centre = np.array([width * (0.5 + moment.right), height * (0.5 + moment.down)])
    rotation = _rotation(moment.yaw, moment.pitch, moment.roll)
    return Head(points, rotation, centre, height / 305 * moment.scale, moment)


def neutral_points(build: Build) -> Array:
    """[68, 3]: the points of a person's head at rest, in mm."""
    points = _mean_points()
    side = np.sign(points[:, :1] + 1e-9)[:, 0]
    _shape_outline(points, build, side)
    _shape_eyes(points, build, side)
    _shape_nose_and_mouth(points, build)
    return points


def moved(points: Array, right: float, down: float, forward: float) -> Array:
    """Points [..., 3] of the head, moved by millimetres."""
    return np.asarray(points + np.array([right, down, forward]))


def _mean_points() -> Array:
    points = np.zeros((68, 3))
    for index, mirrored, away, down, forward in MEAN_HALF:
        points[index] = -away, down, forward
        points[mirrored] = away, down, forward
    return points


def _shape_outline(points: Array, build: Build, side: Array) -> None:
    steps = np.abs(np.arange(17) - 8)
    square = np.array([0, 0, 0.1, 0.5, 0.9, 1, 0.7, 0.3, 0])
    points[:17, 0] *= build.width
    points[:17, 0] += side[:17] * build.jaw * square[steps]
    points[:17, 0] *= np.where(steps <= 2, build.chin, np.where(steps == 3, 0.5 + 0.5 * build.chin, 1))
    below = np.clip((points[:, 1] + 10) / 87, 0, 1)
    points[:, 1] += below * 77 * (build.lower - 1)


def _shape_eyes(points: Array, build: Build, side: Array) -> None:
    for eye in (slice(36, 42), slice(42, 48)):
        middle = points[eye].mean(axis=0)
        offset = points[eye] - middle
        offset[:, 0] *= build.eye_width
        offset[:, 1] = offset[:, 1] * build.eye_open - side[eye] * offset[:, 0] / 13 * build.eye_tilt
        points[eye] = middle + offset
        points[eye, 0] += side[eye] * build.eye_gap
    outer = np.array([1.0, 0.5, 0.0, -0.5, -1.0])
    arch = np.array([-0.8, 0.3, 0.7, 0.3, -0.6])
    for brow, order in ((slice(17, 22), 1), (slice(22, 27), -1)):
        points[brow, 1] -= build.brow_lift + (0.5 * build.brow_tilt * outer + 3.5 * (build.brow_arch - 1) * arch)[::order]
        points[brow, 0] += 0.6 * side[brow] * build.eye_gap


def _shape_nose_and_mouth(points: Array, build: Build) -> None:
    nose, root = slice(27, 36), points[27].copy()
    points[nose, 1] = root[1] + (points[nose, 1] - root[1]) * build.nose_length
    points[27:31, 2] = root[2] + (points[27:31, 2] - root[2]) * build.nose_depth
    points[31:36, 0] *= build.nose_width
    points[48:68, 0] *= build.mouth_width
    line = points[62, 1]
    upper, lower = [49, 50, 51, 52, 53], [55, 56, 57, 58, 59]
    points[upper, 1] = line + (points[upper, 1] - line) * build.lip_upper
    points[lower, 1] = line + (points[lower, 1] - line) * build.lip_lower
    points[48:68, 1] -= build.mouth_lift


def _rotation(yaw: float, pitch: float, roll: float) -> Array:
    y, p, r = np.deg2rad([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(lean @ nod @ turn)

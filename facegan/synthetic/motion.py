"""The motion of a synthetic person: smooth random paths of head pose, expression and gaze, under light that does not move."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moment:
    """The state in one frame: angles in degrees, shifts as shares of the frame, expressions up to 1."""

    yaw: float
    pitch: float
    roll: float
    right: float
    down: float
    scale: float
    open: float
    smile: float
    pucker: float
    brows: float
    frown: float
    blink: float
    gaze_right: float
    gaze_down: float
    light_yaw: float
    light_pitch: float
    light_power: float


def random_motion(rng: np.random.Generator, frames: int) -> list[Moment]:
    """The random motion of a clip, one moment per frame. Its range is random too, so some people move more than others."""
    paths = {
        "yaw": 24 * rng.uniform(0.7, 1.0) * smooth_path(rng, frames),
        "pitch": 12 * rng.uniform(0.6, 1.0) * smooth_path(rng, frames),
        "roll": 8 * rng.uniform(0.4, 1.0) * smooth_path(rng, frames),
        "right": 0.05 * smooth_path(rng, frames),
        "down": 0.03 * smooth_path(rng, frames),
        "scale": rng.uniform(0.93, 1.07) * (1 + 0.05 * smooth_path(rng, frames)),
        "open": np.clip(1.5 * smooth_path(rng, frames, 8, 26), 0, 1),
        "smile": np.clip(0.2 + smooth_path(rng, frames), -1, 1),
        "pucker": np.clip(1.6 * smooth_path(rng, frames) - 0.5, 0, 1),
        "brows": smooth_path(rng, frames, 10, 30),
        "frown": np.clip(smooth_path(rng, frames), 0, 1),
        "blink": np.clip(4 * smooth_path(rng, frames, 6, 16) - 2.8, 0, 1),
        "gaze_right": smooth_path(rng, frames, 8, 24),
        "gaze_down": smooth_path(rng, frames, 8, 24),
        # Light is constant within a clip: it is not in the landmarks, so that no network could follow it.
        "light_yaw": np.full(frames, rng.uniform(-60, 60)),
        "light_pitch": np.full(frames, rng.uniform(20, 50)),
        "light_power": np.full(frames, rng.uniform(0.4, 0.95)),
    }
    return [Moment(**{name: float(path[frame]) for name, path in paths.items()}) for frame in range(frames)]


def smooth_path(rng: np.random.Generator, frames: int, fastest: float = 18, slowest: float = 56) -> Array:
    """[frames]: a smooth random path in [-1, 1] made of sinusoids with periods from `fastest` to `slowest` frames."""
    time = np.arange(frames)[:, None]
    periods, phases = rng.uniform(fastest, slowest, 4), rng.uniform(0, 2 * np.pi, 4)
    # tanh of the sum spreads the values over the whole range; the sum alone would be near 0 most of the time.
    return np.asarray(np.tanh(0.8 * np.sin(2 * np.pi * time / periods + phases).sum(axis=1)))


def express(neutral: Array, moment: Moment) -> Array:
    """The points [68, 3] in mm of a face with the expression of a moment, from its points at rest."""
    points = neutral.copy()
    _open_jaw(points, moment.open * (1 - 0.5 * moment.pucker))
    _shape_mouth(points, moment.smile * (1 - moment.pucker), moment.pucker)
    _raise_brows(points, moment.brows, moment.frown)
    _close_eyes(points, moment.blink, max(moment.smile, 0.0), max(moment.brows, 0.0))
    return points


def _open_jaw(points: Array, amount: float) -> None:
    steps = np.abs(np.arange(17) - 8)
    points[:17, 1] += 20 * amount * np.clip((7.5 - steps) / 4, 0, 1)
    points[:17, 2] -= 6 * amount * np.clip((7.5 - steps) / 4, 0, 1)
    points[[55, 56, 57, 58, 59], 1] += amount * np.array([16, 21, 22, 21, 16])
    points[[65, 66, 67], 1] += amount * np.array([21, 22, 21])
    points[[48, 54, 60, 64], 1] += 8 * amount
    points[[48, 54, 60, 64], 0] *= 1 - 0.1 * amount
    points[[49, 53, 61, 63], 1] += amount * np.array([2, 2, 0, 0])
    points[[50, 51, 52, 62], 1] -= 2 * amount


def _shape_mouth(points: Array, smile: float, pucker: float) -> None:
    corners, near = [48, 54, 60, 64], [49, 53, 55, 59]
    rise = 9 * smile if smile > 0 else 4 * smile
    points[corners, 1] -= rise
    points[near, 1] -= 0.35 * rise
    points[corners, 0] *= 1 + 0.24 * max(smile, 0) - 0.05 * max(-smile, 0)
    points[near, 0] *= 1 + 0.16 * max(smile, 0)
    points[corners, 2] -= 5 * max(smile, 0)
    middle = points[48:68].mean(axis=0)
    points[48:68, 0] *= 1 - 0.42 * pucker
    points[48:68, 1] = middle[1] + (points[48:68, 1] - middle[1]) * (1 + 0.2 * pucker)
    points[48:68, 2] += 6 * pucker


def _raise_brows(points: Array, lift: float, frown: float) -> None:
    weight = np.array([0.7, 1.0, 1.0, 0.9, 0.8])
    drop = np.array([0.0, 0.1, 0.3, 0.7, 1.0])
    for brow, order in ((slice(17, 22), 1), (slice(22, 27), -1)):
        points[brow, 1] -= (8 * lift * weight if lift > 0 else 3 * lift * weight)[::order]
        points[brow, 1] += (6 * frown * drop)[::order]
        points[brow, 0] *= (1 - 0.18 * frown * drop)[::order]


def _close_eyes(points: Array, blink: float, smile: float, surprise: float) -> None:
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        gap = points[lower, 1] - points[upper, 1]
        points[upper, 1] -= 1.5 * surprise * (1 - blink)
        points[upper, 1] += gap * 0.86 * blink
        points[lower, 1] -= gap * (0.22 * smile * (1 - blink) + 0.04 * blink)

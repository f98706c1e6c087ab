"""Light on a synthetic face: its surface is lit in space, and the brightness is projected into the image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.face import Head

Array = NDArray[np.float64]
Plane = NDArray[np.float32]

# Bumps on the smooth surface of the face, in mm: the landmarks in whose middle a bump is, its distance below them, its height,
# and its half sizes across and down.
RELIEF = (
    ((36, 37, 38, 39, 40, 41), -3.0, -7.0, 17.0, 11.0),
    ((42, 43, 44, 45, 46, 47), -3.0, -7.0, 17.0, 11.0),
    ((18, 19, 20), 2.0, 3.0, 18.0, 6.0),
    ((23, 24, 25), 2.0, 3.0, 18.0, 6.0),
    ((28,), 0.0, 10.0, 7.0, 14.0),
    ((29,), 2.0, 13.0, 8.0, 12.0),
    ((30,), 3.0, 15.0, 9.0, 8.0),
    ((31, 32), -3.0, 6.0, 6.0, 6.0),
    ((34, 35), -3.0, 6.0, 6.0, 6.0),
    ((51, 62), 0.0, 4.0, 18.0, 5.0),
    ((57,), -1.0, 4.0, 15.0, 5.0),
    ((57,), 9.0, -4.0, 16.0, 5.0),
    ((8,), -9.0, 5.0, 16.0, 9.0),
)


def light_face(head: Head, shape: tuple[int, int]) -> Plane:
    """[height, width]: the brightness factor of the face at every pixel of an image of this shape; valid on the face only."""
    points = _relief_grid(head) @ head.rotation.T
    normals = _normals(points)
    brightness = _brightness(normals, head)
    facing = (normals[..., 2] > 0.05).astype(np.float64)
    small = (shape[0] // 2, shape[1] // 2)
    pixel = np.rint((points[..., :2] * head.scale + head.centre) / 2 - 0.25).astype(int)
    inside = (pixel[..., 0] >= 0) & (pixel[..., 0] < small[1]) & (pixel[..., 1] >= 0) & (pixel[..., 1] < small[0])
    flat = (pixel[..., 1] * small[1] + pixel[..., 0])[inside]
    count = np.bincount(flat, facing[inside], small[0] * small[1]).reshape(small)
    total = np.bincount(flat, (facing * brightness)[inside], small[0] * small[1]).reshape(small)
    both = cv2.GaussianBlur(np.dstack([total, count]).astype(np.float32), (0, 0), 1.8 * head.scale)
    light = both[..., 0] / (both[..., 1] + 1e-3)
    return np.asarray(cv2.resize(light, shape[::-1]), np.float32)


def light_elsewhere(head: Head, shape: tuple[int, int]) -> Plane:
    """[height, width]: the brightness factor of hair, neck and clothes, falling from the lit side to the other."""
    side = np.sin(np.deg2rad(head.moment.light_yaw)) * head.moment.light_power
    slope = (np.arange(shape[1]) - head.centre[0]) / (head.scale * 90)
    row = 0.92 + 0.25 * side * np.clip(slope, -1, 1)
    return np.broadcast_to(row.astype(np.float32), shape)


def _relief_grid(head: Head) -> Array:
    across, down = np.meshgrid(np.linspace(-0.98, 0.98, 48), np.linspace(-112, head.points[8, 1] - 1, 52))
    grid = head.surface(across, down)
    # The profile is piecewise linear; unsmoothed, its corners would show as bands of light.
    grid[..., 2] = cv2.GaussianBlur(grid[..., 2], (1, 17), sigmaX=1, sigmaY=3.3)
    for indices, drop, rise, wide, high in RELIEF:
        middle = head.points[list(indices)].mean(axis=0)
        away = (grid[..., 0] - middle[0]) / wide
        below = (grid[..., 1] - middle[1] - drop) / high
        grid[..., 2] += rise * np.exp(-(away**2) - below**2)
    return grid


def _normals(points: Array) -> Array:
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    return np.asarray(normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-9))


def _brightness(normals: Array, head: Head) -> Array:
    yaw, pitch = np.deg2rad([head.moment.light_yaw, head.moment.light_pitch])
    light = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    diffuse = np.clip(normals @ light, 0, 1)
    power = head.moment.light_power
    # Half of the light is ambient, weaker from below and from the side.
    ambient = 0.55 + 0.25 * np.clip(normals[..., 2], 0, 1) - 0.08 * normals[..., 1]
    shine = 0.35 * np.clip(normals @ _halfway(light), 0, 1) ** 28
    return np.asarray(ambient * (1.12 - 0.5 * power) + power * (0.72 * diffuse + shine))


def _halfway(light: Array) -> Array:
    middle = light + np.array([0, 0, 1])
    return np.asarray(middle / np.linalg.norm(middle))

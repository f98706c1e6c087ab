"""Small videos and annotations for tests of decoding and of ingest."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.face import _mean_points


def write_video(path: Path, codec: str, frames: int = 5) -> None:
    """Write a video of uniform frames of 64 x 48 pixels; frame n from 0 has the grey level 40 n modulo 256."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    assert writer.isOpened(), codec
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 40 * number % 256, np.uint8))
    writer.release()


def face_points(x: float = 31.0, y: float = 23.0, size: float = 30.0) -> NDArray[np.float32]:
    """[68, 2]: a face seen from the front, centred at (x, y), whose larger side is `size` pixels."""
    flat = _mean_points()[:, :2]
    flat = flat - (flat.max(axis=0) + flat.min(axis=0)) / 2
    return np.asarray(flat / np.ptp(flat, axis=0).max() * size + [x, y], np.float32)


def write_pts(path: Path, points: NDArray[np.floating]) -> None:
    """Write points [68, 2] as a .pts file, whose coordinates count from 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(f"{x!r} {y!r}" for x, y in (points.astype(np.float64) + 1).tolist())
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")

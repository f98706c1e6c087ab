"""Small videos for tests of decoding."""

from pathlib import Path

import cv2
import numpy as np


def write_video(path: Path, codec: str, frames: int = 5) -> None:
    """Write a video of uniform frames of 64 x 48 pixels; frame n from 0 has the grey level 40 n modulo 256."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    assert writer.isOpened(), codec
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 40 * number % 256, np.uint8))
    writer.release()

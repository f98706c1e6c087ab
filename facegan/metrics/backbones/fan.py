"""face-alignment as the judge of landmarks: its S3FD detector and 2D FAN-4, from staged files, checked by their hashes."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images
from facegan.landmarks.points import POINTS
from facegan.metrics.image_quality import checked


class FaceAlignmentLandmarks:
    """Finds a face and its landmarks again in an image, knowing nothing of where it should be."""

    def __init__(self, device: str, weights: Path | None) -> None:
        # Heavy, and it imports dlib's evaluators, so neither can wait at the top.
        from facegan.landmarks.face_alignment_finder import FACE_ALIGNMENT_FILES, face_alignment_finder

        self._finder = face_alignment_finder(device, weights)
        self.name = self._finder.name
        self.sha256 = " ".join(FACE_ALIGNMENT_FILES.values())

    def find(self, images: Images) -> NDArray[np.float32]:
        """[n, 68, 2]: landmarks of each image's face, in its pixels; NaN where there is none, or several alike."""
        return np.array([self._one(image) for image in checked(images)], np.float32).reshape(-1, POINTS, 2)

    def _one(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Each image stands alone: what was found in the one before must not help.
        self._finder.restart()
        (found,) = self._finder.find([np.ascontiguousarray(image[:, :, ::-1])])
        return np.full((POINTS, 2), np.nan, np.float32) if isinstance(found, str) else found

"""Any landmark finder (`facegan.landmarks.finder`) as the landmark evaluator."""

import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images
from facegan.landmarks.finder import LandmarkFinder
from facegan.landmarks.points import POINTS
from facegan.metrics.image_quality import checked


class FinderLandmarks:
    """Finds the face and its landmarks in each image on its own, without knowing where they should be."""

    def __init__(self, finder: LandmarkFinder) -> None:
        self._finder = finder
        self.name = finder.name
        self.sha256 = finder.sha256()

    def find(self, images: Images) -> NDArray[np.float32]:
        """[n, 68, 2]: landmarks of each image's face in its pixels; NaN where no face, or no single one, is found."""
        found = np.full((len(images), POINTS, 2), np.nan, np.float32)
        for place, image in enumerate(checked(images)):
            # A finder follows a face from frame to frame; here the images are unrelated.
            self._finder.restart()
            (points,) = self._finder.find([np.ascontiguousarray(image[:, :, ::-1])])
            if not isinstance(points, str):
                found[place] = points
        return found

"""ArcFace (Deng et al. 2019) as the identity evaluator: any ONNX network that takes faces of 112 pixels in the usual alignment.

For example the files of insightface (w600k_r50.onnx and others, for non-commercial research). It runs on the CPU.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.inference import Images
from facegan.metrics.image_quality import checked

SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""[5, 2] in pixels: left eye in the image, right eye, nose tip, left and right corner of the mouth, as ArcFace was trained."""

_FIVE = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
_BATCH = 16


class ArcFace:
    """Embeds faces whose landmarks are known; a small angle between embeddings means the same person.

    Raises UserError if the file is not such a network; `flag` names it in the message.
    """

    def __init__(self, file: Path, flag: str = "--evaluators.identity") -> None:
        import onnxruntime  # slow to import and not needed by default

        self.sha256 = file_sha256(file)
        self.name = f"ArcFace {file.name}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a different class for each kind of damage
            raise UserError(f"{flag} is {str(file)!r}: onnxruntime cannot load it ({str(error).splitlines()[0]})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, SIDE, SIDE] or len(outputs[0].shape) != 2:
            shapes = f"inputs {[i.shape for i in inputs]}, outputs {[o.shape for o in outputs]}"
            raise UserError(f"{flag} is {str(file)!r}: it has {shapes}; ArcFace maps [n, 3, 112, 112] to [n, d]")
        self._input = inputs[0].name
        self._batch = _BATCH if not isinstance(inputs[0].shape[0], int) else inputs[0].shape[0]

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, d]: embeddings of images [n, size, size, 3] with landmarks [n, 68, 2], which are used to align the face.

        NaN where the landmarks are NaN.
        """
        known = np.asarray(np.isfinite(points).all(axis=(1, 2)))
        # A black face keeps the place of an image without one.
        faces = np.zeros((len(images), SIDE, SIDE, 3), np.uint8)
        for place in np.flatnonzero(known):
            faces[place] = aligned(checked(images)[place], points[place])
        given = arcface_input(faces)
        found = np.concatenate([self._run(given[start : start + self._batch]) for start in range(0, len(given), self._batch)])
        return np.asarray(np.where(known[:, None], found, np.nan), np.float64)

    def _run(self, faces: NDArray[np.float32]) -> NDArray[np.float64]:
        # A network that was exported with a fixed batch size takes full batches only.
        full = np.resize(faces, (self._batch, *faces.shape[1:])) if len(faces) < self._batch else faces
        return np.asarray(self._session.run(None, {self._input: full})[0][: len(faces)], np.float64)


def five_points(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """[5, 2] of landmarks [68, 2]: the middle of each eye, the nose tip, the corners of the mouth."""
    return np.stack([points[list(group)].astype(np.float64).mean(axis=0) for group in _FIVE])


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """[2, 3]: rotation, scale and shift that map points [n, 2] to `target` with the least squared error (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    # In the plane, rotation and scale are one complex number; this is its least-squares solution.
    across, down = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    turn = np.array([[across, -down], [down, across]]) / np.square(a).sum()
    return np.concatenate([turn, (target.mean(axis=0) - turn @ source.mean(axis=0))[:, None]], axis=1)


def aligned(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[112, 112, 3] RGB: the face with landmarks [68, 2] moved to the template; black outside of the image."""
    return np.asarray(cv2.warpAffine(image, similarity(five_points(points), TEMPLATE), (SIDE, SIDE)), np.uint8)


def arcface_input(faces: Images) -> NDArray[np.float32]:
    """[n, 3, 112, 112] float: RGB faces [n, 112, 112, 3] scaled by (x - 127.5) / 127.5 to [-1, 1]."""
    return np.ascontiguousarray(((checked(faces).astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2))

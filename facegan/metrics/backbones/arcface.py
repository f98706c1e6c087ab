"""ArcFace as the judge of identity: any recognition network in ONNX that takes 112x112 faces in the usual alignment.

Deng et al. 2019 and insightface's files (w600k_r50.onnx and others, for non-commercial research). Plain onnxruntime, CPU.
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
"""[5, 2] in pixels: the eye left in the image, the other eye, nose tip, and the mouth's corners, as ArcFace was trained."""

_FIVE = (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,))
_BATCH = 16


class ArcFace:
    """Embeds faces whose landmarks are known: [d] vectors, close in angle for one person."""

    def __init__(self, file: Path, flag: str = "--evaluators.identity") -> None:
        import onnxruntime  # only those who ask for it wait for it

        self.sha256 = file_sha256(file)
        self.name = f"ArcFace {file.name}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for each way in which a file can be wrong
            raise UserError(f"{flag} is {str(file)!r}: onnxruntime cannot load it ({str(error).splitlines()[0]})") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != [3, SIDE, SIDE] or len(outputs[0].shape) != 2:
            shapes = f"inputs {[i.shape for i in inputs]}, outputs {[o.shape for o in outputs]}"
            raise UserError(f"{flag} is {str(file)!r}: it has {shapes}; ArcFace maps [n, 3, 112, 112] to [n, d]")
        self._input = inputs[0].name
        self._batch = _BATCH if not isinstance(inputs[0].shape[0], int) else inputs[0].shape[0]

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, d] of images and their landmarks [n, 68, 2]; the landmarks only align the face."""
        faces = arcface_input(np.stack([aligned(i, p) for i, p in zip(checked(images), points, strict=True)]))
        return np.concatenate([self._run(faces[start : start + self._batch]) for start in range(0, len(faces), self._batch)])

    def _run(self, faces: NDArray[np.float32]) -> NDArray[np.float64]:
        # A network exported for a fixed batch is given a full one.
        full = np.resize(faces, (self._batch, *faces.shape[1:])) if len(faces) < self._batch else faces
        return np.asarray(self._session.run(None, {self._input: full})[0][: len(faces)], np.float64)


def five_points(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """[5, 2] of landmarks [68, 2]: the eyes' middles, the nose tip, the mouth's corners."""
    return np.stack([points[list(group)].astype(np.float64).mean(axis=0) for group in _FIVE])


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """[2, 3]: the rotation, scale and shift that bring points [n, 2] closest to others in squares (Umeyama 1991), no mirror."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    # In the plane a rotation with a scale is one complex number, and this is its least-squares solution.
    across, down = (a * b).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    turn = np.array([[across, -down], [down, across]]) / np.square(a).sum()
    return np.concatenate([turn, (target.mean(axis=0) - turn @ source.mean(axis=0))[:, None]], axis=1)


def aligned(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[112, 112, 3] RGB: the face brought to the template; black outside of the image."""
    return np.asarray(cv2.warpAffine(image, similarity(five_points(points), TEMPLATE), (SIDE, SIDE)), np.uint8)


def arcface_input(faces: Images) -> NDArray[np.float32]:
    """[n, 3, 112, 112]: RGB as (x - 127.5) / 127.5, in [-1, 1]."""
    return np.ascontiguousarray(((checked(faces).astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2))

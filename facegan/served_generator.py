"""The code of the model that MLflow keeps: MLflow copies this file into the model, beside facegan's and a checkpoint.

It needs what drawing needs, no Ray and nothing else of this package.
"""

from pathlib import Path
from typing import Any

import torch

from facegan.checkpoint import load_generator
from facegan.inference import Images, image_generator

CHECKPOINT = "checkpoint"
"""The folder, among the model's data, with the part of a checkpoint that drawing reads."""


class ServedGenerator:
    """{"image": uint8 RGB [n, size, size, 3], "landmarks": float32 [n, 68, 2] in its pixels} to images of the same kind."""

    def __init__(self, data: Path) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generator, config = load_generator(data / CHECKPOINT)
        self._draw = image_generator(generator.to(device), config, device)

    def predict(self, model_input: dict[str, Any], params: dict[str, Any] | None = None) -> Images:
        """Each person with their face moved to the landmarks."""
        images, points = model_input["image"], model_input["landmarks"]
        if len(images) != len(points):
            raise ValueError(f"{len(images)} images and {len(points)} sets of landmarks: as many of the one as of the other")
        return self._draw(images, points)


def _load_pyfunc(data_path: str) -> ServedGenerator:
    # By this name mlflow.pyfunc finds it.
    return ServedGenerator(Path(data_path))

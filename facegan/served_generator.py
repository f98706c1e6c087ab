"""The generator as a Python model of MLflow, which imports this module by name from its copy of `facegan`.

Imports only what generating images needs: no MLflow, no Ray and no image library.
"""

from pathlib import Path
from typing import Any

import torch

from facegan.inference import Images, image_generator
from facegan.training.checkpoint import load_generator

CHECKPOINT = "checkpoint"
"""Folder of the model's data with the checkpoint files that `load_generator` reads."""


class ServedGenerator:
    """Moves faces to landmarks. `data` is the model's data folder."""

    def __init__(self, data: Path) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generator, config = load_generator(data / CHECKPOINT)
        self._draw = image_generator(generator.to(device), config, device)

    def predict(self, model_input: dict[str, Any], params: dict[str, Any] | None = None) -> Images:
        """Images, uint8 RGB [n, size, size, 3], of the people of "image" with their faces moved to "landmarks".

        `model_input` holds "image", of the same form, and "landmarks", float32 [n, 68, 2] in pixels of the image.
        """
        images, points = model_input["image"], model_input["landmarks"]
        if len(images) != len(points):
            raise ValueError(f"{len(images)} images and {len(points)} sets of landmarks: give as many of each")
        return self._draw(images, points)


def _load_pyfunc(data_path: str) -> ServedGenerator:
    # mlflow.pyfunc calls the function of this name.
    return ServedGenerator(Path(data_path))

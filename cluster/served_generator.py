"""The code of the model that MLflow keeps: MLflow copies this file into the model, beside facegan's and a checkpoint.

It needs what facegan needs and MLflow, no Ray and nothing else of this package.
"""

from pathlib import Path
from typing import Any

import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from facegan.checkpoint import load_generator
from facegan.draw import Draw, drawer


class ServedGenerator(PythonModel):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """{"image": uint8 RGB [n, size, size, 3], "landmarks": float32 [n, 68, 2] in its pixels} to images of the same kind."""

    draw: Draw

    def load_context(self, context: Any) -> None:
        """Read the checkpoint; on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        generator, config = load_generator(Path(context.artifacts["checkpoint"]))
        self.draw = drawer(generator.to(device), config, device)

    # Without type hints: MLflow would take them for the signature.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Each person with their face moved to the landmarks."""
        images, points = model_input["image"], model_input["landmarks"]
        if len(images) != len(points):
            raise ValueError(f"{len(images)} images and {len(points)} sets of landmarks: as many of the one as of the other")
        return self.draw(images, points)


# This is how a file tells MLflow which object is its model.
set_model(ServedGenerator())

"""Register a generator as a model of MLflow: with signature, input example and card, for Python and as an ONNX file."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

import facegan
from facegan.data.ingest.crop import crop_face, face_square
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.files import write_bytes, write_json
from facegan.landmarks.points import POINTS
from facegan.live.export import draw, draw_in_torch, largest_difference
from facegan.live.generator_graph import network_graph
from facegan.report.generator_card import GeneratorCard, card_text, generator_card
from facegan.served_generator import CHECKPOINT
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.synthetic.clips import FIRST_TEST_ID, ClipJob, film
from facegan.training.checkpoint import inference_files, load_generator

NAME = "facegan-generator"
"""Name of the registered model. Each study adds one version."""
_LOADER = "facegan.served_generator"
_REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors")
"""Packages that generating images imports. A serving machine needs no image library."""
Example = dict[str, np.ndarray[Any, Any]]
_FORBIDDEN = re.compile(r"""[/:.%"']""")
"""What MLflow does not allow in the name of a model."""
_DATA, _NETWORK = "data", "generator.onnx"
"""The folder of the model's data, and the ONNX file in it."""


def register_generator(client: MlflowClient, run: str, study: Path, trial: Trial, summary: Summary) -> str:
    """Log a trial's generator to its MLflow run `run` as a new version of `NAME`, once; returns its `models:/` URI."""
    found = client.search_model_versions(f"name = '{NAME}' and run_id = '{run}'")
    made = found[0] if found else _register(client, run, study, trial, summary)
    # The link from the page of the logged model to its version.
    tag = json.dumps([{"name": NAME, "version": made.version}])
    client.set_logged_model_tags(str(made.source).removeprefix("models:/"), {MLFLOW_MODEL_VERSIONS: tag})
    return f"models:/{NAME}/{made.version}"


def _register(client: MlflowClient, run: str, study: Path, trial: Trial, summary: Summary) -> ModelVersion:
    size = trial.config.data.size
    given = example(size)
    with _data(study, trial, summary, given) as (data, card):
        logged = Model.log(
            artifact_path=None,
            name=f"generator-{_FORBIDDEN.sub('-', study.name)}",
            flavor=_Flavors,
            flavor_name="mlflow.pyfunc",
            run_id=run,
            # MLflow shows the run's metrics of this step with the model; the scores were logged at it.
            step=card.images_seen,
            loader_module=_LOADER,
            code_paths=[str(Path(facegan.__file__).parent)],
            data_path=str(data),
            signature=signature(size),
            input_example=given,
            pip_requirements=[f"{name}=={_public(version(name))}" for name in _REQUIREMENTS],
            tags=card.tags,
        )
    try:
        client.create_registered_model(NAME)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    # With its text and tags in one step. `Model.log` would register it without them, and say so on the console.
    return client.create_model_version(
        NAME, logged.model_uri, run, tags=card.tags, description=card_text(card, NAME, size), model_id=logged.model_id
    )


class _Flavors:
    """Saves a model in two flavors: MLflow's own for Python, which is served, and ONNX."""

    @staticmethod
    def save_model(path: str, mlflow_model: Model, **options: Any) -> None:
        """Called by `Model.log`; `options` are those of `mlflow.pyfunc.save_model`, which copies the data to `path`/data."""
        mlflow_model.add_flavor(
            "onnx",
            onnx_version=version("onnx"),
            data=f"data/{_DATA}/{_NETWORK}",
            providers=["CUDAExecutionProvider", "CPUExecutionProvider"],
            onnx_session_options=None,
            code=None,
        )
        mlflow.pyfunc.save_model(path=path, mlflow_model=mlflow_model, **options)


def _public(local: str) -> str:
    """A version without its local part, which package registries do not have: 2.13.0 for 2.13.0+cpu."""
    return local.partition("+")[0]


def signature(size: int) -> ModelSignature:
    """Inputs: images uint8 RGB and the landmarks to move their faces to, float32 pixels. Output: images."""
    images = (-1, size, size, 3)
    inputs = Schema(
        [TensorSpec(np.dtype(np.uint8), images, "image"), TensorSpec(np.dtype(np.float32), (-1, POINTS, 2), "landmarks")]
    )
    return ModelSignature(inputs, Schema([TensorSpec(np.dtype(np.uint8), images)]))


def example(size: int) -> Example:
    """An example input: a rendered person, never a real one, and the landmarks of a later frame."""
    (picture, now), *_, (_, later) = film(ClipJob(Path(), FIRST_TEST_ID, seed=0, frames=24, size=160))
    scale = IngestConfig().crop_scale
    faces = [
        crop_face(picture, points.astype(np.float32), face_square(points.astype(np.float32), scale), size)
        for points in (now, later)
    ]
    return {"image": faces[0].image[None, :, :, ::-1].copy(), "landmarks": faces[1].points[None]}


@contextmanager
def _data(study: Path, trial: Trial, summary: Summary, given: Example) -> Iterator[tuple[Path, GeneratorCard]]:
    """A temporary folder with the model's data: what generating needs of the checkpoint, the ONNX file and the card."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / _DATA
        (data / CHECKPOINT).mkdir(parents=True)
        checkpoint = trial_folder(study, trial).checkpoint
        for name in inference_files(trial.config):
            shutil.copy(checkpoint / name, data / CHECKPOINT / name)
        card = generator_card(study, trial, summary, _write_onnx(data / CHECKPOINT, data / _NETWORK, given))
        write_json(data / "card.json", card)
        yield data, card


def _write_onnx(checkpoint: Path, file: Path, given: Example) -> float:
    """Write the generator of a checkpoint as an ONNX file.

    Returns the largest difference from PyTorch, in grey levels, between drawings of `given`.
    """
    generator, config = load_generator(checkpoint)
    graph = network_graph(generator, config)
    write_bytes(file, graph.SerializeToString())
    image = np.ascontiguousarray(given["image"].transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - 1
    points = given["landmarks"].astype(np.float32)
    return largest_difference(draw(graph, image, points), draw_in_torch(generator, config, image, points))

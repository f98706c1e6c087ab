"""Register a generator as a model of MLflow, with signature, input example and metric card."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

import facegan
from facegan.data.ingest.crop import crop_face, face_square
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.landmarks.points import POINTS
from facegan.metrics.card import Card
from facegan.metrics.table import meaning
from facegan.served_generator import CHECKPOINT
from facegan.study.analysis.model_selection import SELECTED_BY
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.synthetic.clips import FIRST_TEST_ID, ClipJob, film
from facegan.training.checkpoint import inference_files

NAME = "facegan-generator"
"""Name of the registered model. Each study adds one version."""
_LOADER = "facegan.served_generator"
_REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors")
"""Packages that generating images imports. A serving machine needs no image library."""


def register_generator(client: MlflowClient, run: str, study: Path, trial: Trial, summary: Summary) -> str:
    """Log a trial's generator to its MLflow run `run` as a new version of `NAME`, once; returns its `models:/` URI."""
    found = client.search_model_versions(f"name = '{NAME}' and run_id = '{run}'")
    made = found[0].version if found else _log(client, run, study, trial, summary)
    return f"models:/{NAME}/{made}"


def _log(client: MlflowClient, run: str, study: Path, trial: Trial, summary: Summary) -> str:
    about = _about(study, trial, summary)
    with _data(study, trial, about) as data:
        info = Model.log(
            artifact_path=None,
            name=f"generator-{study.name}",
            flavor=mlflow.pyfunc,
            run_id=run,
            # MLflow shows the run's metrics of this step with the model; the scores were logged at it.
            step=trial_folder(study, trial).state().images,
            registered_model_name=NAME,
            loader_module=_LOADER,
            code_paths=[str(Path(facegan.__file__).parent)],
            data_path=str(data),
            signature=signature(trial.config.data.size),
            input_example=example(trial.config.data.size),
            pip_requirements=[f"{name}=={_public(version(name))}" for name in _REQUIREMENTS],
            tags=about["tags"],
        )
    made = str(info.registered_model_version)
    client.update_model_version(NAME, made, description=_card(about))
    for key, value in about["tags"].items():
        client.set_model_version_tag(NAME, made, key, value)
    return made


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


def example(size: int) -> dict[str, np.ndarray[Any, Any]]:
    """An example input: a rendered person, never a real one, and the landmarks of a later frame."""
    (picture, now), *_, (_, later) = film(ClipJob(Path(), FIRST_TEST_ID, seed=0, frames=24, size=160))
    scale = IngestConfig().crop_scale
    faces = [
        crop_face(picture, points.astype(np.float32), face_square(points.astype(np.float32), scale), size)
        for points in (now, later)
    ]
    return {"image": faces[0].image[None, :, :, ::-1].copy(), "landmarks": faces[1].points[None]}


def _about(study: Path, trial: Trial, summary: Summary) -> dict[str, Any]:
    """Everything that is stored with the model: tags, scores and reference scores."""
    arm = next(arm for arm in summary.arms if arm.name == trial.arm)
    faces = "rendered" if summary.data.synthetic else "real"
    tags = {"study": study.name, "arm": arm.label, "seed": trial.seed, "faces": faces, "trial": trial.key}
    references = {name: {metric: found.mean for metric, found in scores.items()} for name, scores in summary.references.items()}
    return {
        "tags": {name: str(value) for name, value in tags.items()},
        "images_seen": trial_folder(study, trial).state().images,
        "scores": trial_folder(study, trial).scores() or {},
        "references": references,
        "verdict_on_the_arm": arm.verdict,
    }


@contextmanager
def _data(study: Path, trial: Trial, about: dict[str, Any]) -> Iterator[Path]:
    """A temporary folder with the model's data: the checkpoint files that generating needs, and the metric card."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        (data / CHECKPOINT).mkdir(parents=True)
        checkpoint = trial_folder(study, trial).checkpoint
        for name in inference_files(trial.config):
            shutil.copy(checkpoint / name, data / CHECKPOINT / name)
        (data / "card.json").write_text(json.dumps(about, indent=1, default=asdict))
        yield data


def _card(about: dict[str, Any]) -> str:
    """The metric card in Markdown, for the page of the model version."""
    tags, rows = about["tags"], []
    scores: Card = about["scores"]
    for metric, found in scores.items():
        between = " | ".join(_number(card.get(metric)) for card in about["references"].values())
        low, high = found.interval or (None, None)
        own = f"{_number(found.mean)} ({_number(low)} to {_number(high)})"
        rows.append(f"| {metric} | {own} | {between} | {found.note or meaning(metric)} |")
    head = " | ".join(about["references"])
    return "\n".join(
        [
            f"Generator of **{tags['arm']}**, seed {tags['seed']}, {about['images_seen']} images of {tags['faces']} faces",
            f"(study {tags['study']}). The arm {about['verdict_on_the_arm']}",
            "",
            "Selected on validation clips: the arm with the best mean over seeds, and of its seeds the middle one. The best",
            f"has the least sum of {SELECTED_BY}. Scores are",
            "means over clips of held-out people (95 % interval by resampling people), next to the reference rows.",
            "",
            f"| score | this generator | {head} | |",
            "|---|---|" + "---|" * len(about["references"]) + "---|",
            *rows,
            "",
            f"`mlflow.pyfunc.load_model('models:/{NAME}/<version>').predict({{'image': ..., 'landmarks': ...}})`",
        ]
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

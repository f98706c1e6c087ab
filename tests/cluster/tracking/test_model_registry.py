"""The registered model: its two flavors, its card, and its answers over HTTP."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from cluster.tracking import start_tracker
from facegan.config import Config
from facegan.inference import image_generator
from facegan.live.export import draw, draw_in_torch
from facegan.records import read_record
from facegan.report.generator_card import GeneratorCard
from facegan.study.analysis.model_selection import best_generator
from facegan.study.conclusions.summary import Summary
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator
from tests.cluster.tracking.finished_study import finished_study
from tests.serving import free_port, wait_for_answer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    # MLflow's own annotations, once it serves models.
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Registered:
    """A registered generator."""

    studies: Path
    """The folder with MLflow's database."""
    version: ModelVersion
    artifacts: Path
    """A copy of the model's files."""
    checkpoint: Path
    """Of the trial that it is from."""


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data_folder: Path) -> Iterator[Registered]:
    root = tmp_path_factory.mktemp("registered")
    study = root / "a study's v1.2: 50%"  # MLflow allows none of these marks in a model's name
    plan = finished_study(study, tiny, data_folder, seeds=(0,))
    summary = read_record(Summary, study / "summary.json", "")
    best = best_generator(plan, study)
    assert summary is not None and best is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracker = start_tracker(plan, study)
        tracker.sync()
        with pytest.MonkeyPatch.context() as killed:
            killed.setattr(MlflowClient, "set_logged_model_tags", interrupt)
            with pytest.raises(KeyboardInterrupt):
                tracker.register(best, summary)
        made = tracker.register(best, summary)
        assert tracker.register(best, summary) == made, "a generator is registered once"
    client = MlflowClient(f"sqlite:///{root / 'mlflow.db'}")
    (version,) = client.search_model_versions("name = 'facegan-generator'")
    (logged,) = client.search_logged_models([str(number) for number in range(2)])
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [{"name": "facegan-generator", "version": version.version}]
    artifacts = mlflow.artifacts.download_artifacts(made.uri, dst_path=str(root / "copy"), tracking_uri=client.tracking_uri)
    yield Registered(root, version, Path(artifacts), trial_folder(study, best).checkpoint)
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def test_the_onnx_flavor_draws_what_pytorch_draws(registered: Registered) -> None:
    graph = mlflow.onnx.load_model(str(registered.artifacts))
    generator, config = load_generator(registered.checkpoint)
    size, rng = config.data.size, np.random.default_rng(1)
    images = rng.uniform(-1, 1, (3, 3, size, size)).astype(np.float32)
    points = rng.uniform(0, size, (3, 68, 2)).astype(np.float32)
    expected = draw_in_torch(generator, config, images, points)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(draw(graph, images, points), expected, atol=1e-4, rtol=0)


def test_the_card_says_what_the_model_is_for_and_what_not(registered: Registered) -> None:
    card = read_record(GeneratorCard, registered.artifacts / "data" / "data" / "card.json", "")
    text = str(registered.version.description)
    assert card is not None and registered.version.tags == card.tags
    assert "rendered" in card.data_terms and card.tags["data_terms"].startswith("none")
    for said in (card.data_terms, *card.intended_use, card.visible_mark, "It must not be used to", "| target_following |"):
        assert said in text
    assert len(card.must_not_be_used_to) > 3 and "without their consent" in text
    assert 0 <= card.onnx_difference < 0.05


@pytest.fixture(scope="module")
def served(registered: Registered, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a model that is served as a user serves it."""
    port, log = free_port(), tmp_path_factory.mktemp("served") / "log"
    variables = [f"VERSION={registered.version.version}", f"STUDIES={registered.studies}", f"PORT={port}"]
    environment = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "PYTHONPATH")}
    with log.open("w") as output:
        started = subprocess.Popen(
            ["make", "mlflow-model", *variables],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_for_answer(f"http://127.0.0.1:{port}/ping", started, log.read_text)
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(started.pid, signal.SIGTERM)
            started.wait(30)


def test_the_server_draws_its_input_example_as_the_generator_does(served: str, registered: Registered) -> None:
    example = (registered.artifacts / "serving_input_example.json").read_bytes()
    request = urllib.request.Request(served, example, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        drawn = np.array(json.load(answer)["predictions"])
    given = json.loads(example)["inputs"]
    generator, config = load_generator(registered.checkpoint)
    draw_images = image_generator(generator, config, torch.device("cpu"))
    expected = draw_images(np.array(given["image"], np.uint8), np.array(given["landmarks"], np.float32))
    assert expected.shape == (1, config.data.size, config.data.size, 3) and expected.std() > 1
    assert np.array_equal(drawn, expected)


def test_a_request_without_landmarks_is_refused_with_the_reason(served: str, registered: Registered) -> None:
    given = json.loads((registered.artifacts / "serving_input_example.json").read_bytes())["inputs"]
    body = json.dumps({"inputs": {"image": given["image"]}}).encode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(served, body, {"Content-Type": "application/json"}), timeout=60)
    assert refused.value.code == 400 and b"landmarks" in refused.value.read()

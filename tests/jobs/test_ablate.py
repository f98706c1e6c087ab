"""A complete small ablation: files, MLflow runs, the columns of Figure 2, the registered model, and running it again."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from cluster.datasets.dataset import planned_data
from facegan.config import TERMS
from facegan.inference import image_generator
from facegan.report.figure2 import choose_rows, figure2_tiles
from facegan.study.analysis.model_selection import best_generator
from facegan.study.folder.study_folder import read_plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator

pytestmark = pytest.mark.ray
ARMS = ["-Cons.", "-Pixel", "-Feature", "Full"]


@pytest.fixture(scope="module")
def ablated(jobs_in: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    jobs = jobs_in(tmp_path_factory.mktemp("ablate"))
    return jobs, jobs.run("ablate")


@pytest.fixture(scope="module")
def client(ablated: tuple[Any, str]) -> MlflowClient:
    return MlflowClient(f"sqlite:///{ablated[0].folder / 'studies' / 'mlflow.db'}")


def runs(client: MlflowClient) -> tuple[Run, list[Run]]:
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    (parent,) = [r for r in found if r.data.tags["kind"] == "study"]
    return parent, [r for r in found if r.data.tags["kind"] == "trial"]


def test_the_console_shows_progress_rate_and_eta(ablated: tuple[Any, str]) -> None:
    output = ablated[1]
    assert "SYNTHETIC" in output
    assert "random weights" in output
    assert re.search(r"train +100% +192/192 images +\d+ images/s +ETA 0 s", output)
    assert "report.html" in output
    assert re.search(
        r"^curves +http://127\.0\.0\.1:5000/#/experiments/1/runs\?\S+viewStateShareKey=facegan-", output, re.MULTILINE
    )


def test_every_trial_is_completed_and_scored(ablated: tuple[Any, str]) -> None:
    summary = json.loads((ablated[0].study() / "summary.json").read_text())
    assert [a["label"] for a in summary["arms"]] == ARMS
    assert [t["state"] for t in summary["trials"]] == ["COMPLETED"] * 4
    assert {t["images"] for t in summary["trials"]} == {48}
    assert set(summary["references"]) == {"real target", "source copied", "source warped", "another person"}
    assert all(np.isfinite(t["scores"]["ssim"]) for t in summary["trials"])
    passes = {t["arm"]: t["counters"]["generator"] // 48 for t in summary["trials"]}
    assert passes == {"no_consistency": 1, "no_pixel": 4, "no_feature": 4, "full": 4}


def test_mlflow_has_a_parent_run_and_a_child_run_per_trial(client: MlflowClient, ablated: tuple[Any, str]) -> None:
    parent, children = runs(client)
    assert {c.data.tags["mlflow.parentRunId"] for c in children} == {parent.info.run_id}
    assert sorted(c.data.tags["mlflow.runName"] for c in children) == sorted(f"{a} seed 0" for a in ARMS)
    assert {r.info.status for r in (parent, *children)} == {"FINISHED"}
    assert all(f"**{arm}**" in parent.data.tags["mlflow.note.content"] for arm in ARMS)
    manifest = json.loads((ablated[0].study() / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    for run in (parent, *children):
        assert run.data.tags["synthetic"] == "true"
        assert len(run.data.tags["data_sha256"]) == 64
        assert run.data.tags["commit"]


def test_child_runs_hold_parameters_and_the_curve_of_every_term(client: MlflowClient) -> None:
    for child in runs(client)[1]:
        weights = {term: float(child.data.params[f"loss.{term}"]) for term in TERMS}
        active = {term for term, weight in weights.items() if weight}
        metrics = child.data.metrics
        assert {m.split("/")[1] for m in metrics if m.startswith("weighted/")} == active
        assert {f"loss/{term}" for term in active} | {"loss/generator", "loss/discriminator"} <= set(metrics)
        for name in ("discriminator/accuracy", "images_per_second", "score/target_following"):
            assert name in metrics
        assert len(metrics) <= 25
        steps = [m.step for m in client.get_metric_history(child.info.run_id, "loss/generator")]
        assert steps == [8, 16, 24, 32, 40, 48]
        samples = [a.path for a in client.list_artifacts(child.info.run_id, "samples")]
        assert samples == [f"samples/{n:09d}.png" for n in (16, 32, 48)]


def test_figures_and_report_are_artifacts_and_files(client: MlflowClient, ablated: tuple[Any, str]) -> None:
    artifacts = {a.path for a in client.list_artifacts(runs(client)[0].info.run_id)}
    files = {"report.html", "figure2.png", "losses.png", "contact_sheet.png", "plan.json", "summary.json", "manifest.json"}
    assert files <= artifacts
    assert all((ablated[0].study() / name).stat().st_size > 500 for name in files)


def test_figure2_shows_every_tile_in_its_column(ablated: tuple[Any, str]) -> None:
    """Finds every tile in the PNG by its pixels, in the order of the poster's columns, for held-out people."""
    study = ablated[0].study()
    plan = read_plan(study)
    data = planned_data(plan).open()
    assert set(choose_rows(data, 6).clip) == set(data.clips("test", 0.0))
    png = cv2.cvtColor(cv2.imread(str(study / "figure2.png"), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
    tiles = figure2_tiles(study, plan, data)
    factors = list(range(1, 9))
    where = [[locate(png, tile, factors) for tile in row] for row in tiles]
    assert {len(row) for row in where} == {12}
    for row in where:
        assert [x for x, _ in row] == sorted(x for x, _ in row)
        assert len({y for _, y in row}) == 1
    rows = choose_rows(data, 6)
    for place, (source, target) in enumerate(zip(rows.source, rows.target, strict=True)):
        assert np.array_equal(tiles[place][1], data.image(source))
        assert np.array_equal(tiles[place][3], data.image(target))


def locate(png: "np.ndarray[Any, Any]", tile: "np.ndarray[Any, Any]", factors: list[int]) -> tuple[int, int]:
    """Position of a tile, enlarged by a whole factor, in a picture; the factor comes first in the list for the next tile."""
    for factor in factors:
        large = tile.repeat(factor, 0).repeat(factor, 1)
        if large.shape[0] > png.shape[0] or large.shape[1] > png.shape[1]:
            continue
        distance = cv2.matchTemplate(np.ascontiguousarray(png), np.ascontiguousarray(large), cv2.TM_SQDIFF)
        y, x = np.unravel_index(int(distance.argmin()), distance.shape)
        if np.abs(png[y : y + large.shape[0], x : x + large.shape[1]].astype(int) - large).max() <= 1:
            factors.sort(key=lambda other: other != factor)
            return int(x), int(y)
    raise AssertionError("a tile is not in the picture")


def test_running_again_adds_no_run_no_metric_and_no_model_version(ablated: tuple[Any, str], client: MlflowClient) -> None:
    jobs = ablated[0]
    before = (jobs.study() / "summary.json").read_bytes()
    known = {r.info.run_id for r in (runs(client)[0], *runs(client)[1])}
    jobs.run("ablate")
    assert (jobs.study() / "summary.json").read_bytes() == before
    parent, children = runs(client)
    assert {r.info.run_id for r in (parent, *children)} == known
    history = client.get_metric_history(children[0].info.run_id, "loss/generator")
    assert len(history) == len({m.step for m in history}) == 6
    assert len(client.search_model_versions("name = 'facegan-generator'")) == 1


LOAD = """
import sys
for name in ("ray", "boto3", "cv2"):
    sys.modules[name] = None  # importing it raises
import mlflow, numpy
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/facegan-generator/1")
numpy.savez(sys.argv[2], drawn=model.predict(model.input_example), **model.input_example)
import facegan
assert "/artifacts/" in facegan.__file__, "the model must use its own copy of the code"
ours = [vars(module) for name, module in sys.modules.items() if name.partition(".")[0] == "facegan"]
imported = {value.__name__.partition(".")[0] for names in ours for value in names.values() if isinstance(value, type(sys))}
print(*sorted(imported - sys.stdlib_module_names - {"facegan"}))
"""


def test_the_best_generator_is_a_model_that_loads_without_ray(
    client: MlflowClient, ablated: tuple[Any, str], tmp_path: Path
) -> None:
    jobs, output = ablated
    (version,) = client.search_model_versions("name = 'facegan-generator'")
    assert re.search(r"^model +models:/facegan-generator/1 ", output, re.MULTILINE)
    plan = read_plan(jobs.study())
    (trial,) = [trial for trial in plan.trials if trial.key == version.tags["trial"]]
    assert best_generator(plan, jobs.study()) == trial
    assert version.tags["faces"] == "rendered"
    assert "| identity_to_target |" in str(version.description)
    (run,) = [run for run in runs(client)[1] if run.info.run_id == version.run_id]
    assert run.data.tags["key"] == trial.key
    logged = client.get_logged_model(str(version.source).rpartition("/")[2])
    scores = {metric.key: metric.value for metric in logged.metrics or []}
    assert scores["score/ssim"] == run.data.metrics["score/ssim"]

    uri = f"sqlite:///{jobs.folder / 'studies' / 'mlflow.db'}"
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, tmp_path / "drawn.npz"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (requirements,) = (jobs.folder / "studies").rglob("artifacts/requirements.txt")
    named = dict(line.split("==") for line in requirements.read_text().split())
    assert set(done.stdout.split()) <= set(named), "the model imports a package that its requirements do not list"
    assert not any("+" in version for version in named.values()), "a local build version, which no package registry has"
    generator, config = load_generator(trial_folder(jobs.study(), trial).checkpoint)
    with np.load(tmp_path / "drawn.npz") as found:
        expected = image_generator(generator, config, torch.device("cpu"))(found["image"], found["landmarks"])
        assert np.array_equal(found["drawn"], expected)

"""Damaged files: reading them gives a record of the same type, or one UserError in one line that names the file."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import write_json
from facegan.metrics.card import Card, summarise
from facegan.metrics.discrimination import Discrimination, discrimination
from facegan.metrics.table import METRICS
from facegan.records import read_record
from facegan.study.analysis.gradients import gradients_of_arms
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import choose_budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import PLAN, open_study, read_plan
from facegan.study.folder.trial_folder import (
    CONDITIONS,
    ROWS,
    SCORES,
    STATE,
    Conditions,
    MetricsRow,
    TrialFolder,
    TrialState,
    trial_folder,
)
from facegan.training.packing import Packing, best_packing
from tests.facegan.study.folder.mutations import mutations
from tests.facegan.study.planted_study import make_study
from tests.planning import PLANNED_DATA

CLIPS = [f"{500 + i}" for i in range(3)]
CURE = "remove it"


def card() -> Card:
    scores = {metric: np.linspace(0.1, 0.9, len(CLIPS)) for metric in METRICS}
    return summarise(scores, CLIPS, dict(zip(CLIPS, "aab", strict=True)), {"lpips": "not measured: weights missing"})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> tuple[Path, Plan]:
    """A study folder with every kind of file."""
    root = tmp_path_factory.mktemp("study")
    design = choose_design("factorial", tiny, factors=("pixel_space", "feature_space"))
    plan = make_plan(
        tiny,
        design.arms,
        design=design.name,
        preset="demo",
        seeds=(0, 1),
        data=PLANNED_DATA,
        commit="c",
        factors=design.factors,
        budget=choose_budget("seconds", 2.5, tiny, design.arms),
    )
    open_study(root, plan)
    for trial in plan.trials:
        folder = trial_folder(root, trial)
        folder.write_state("COMPLETED", images=32, seconds=2.0, passes={"generator": 128})
        folder.write_conditions(start_weights="a", first_batches="b", device="cpu", peak_memory_bytes=1)
        for images in (8, 16, 24):
            metrics = {"loss/pixel": 0.5, "gradient_share/pixel": 0.2, "validation/face_error": 20.0}
            folder.append_row(MetricsRow(images, images / 10, 0.0, metrics))
        folder.write_scores(card())
        write_json(folder.path / "config.json", trial.config.to_dict())
    references = {"real target": card(), "source copied": card()}
    apart = discrimination(np.eye(4)[[0, 0, 1, 1]] + 0.01, np.arange(4), ["a", "a", "b", "b"])
    write_json(root / "packing.json", [Packing(1, 10.0), Packing(2, 15.0), Packing(3, 0.0, "no memory")])
    write_json(root / "references.json", references)
    write_json(root / "discrimination.json", apart)
    write_json(root / "summary.json", summarise_study(root, plan, references, apart))
    return root, plan


def read_or_refused(read: Callable[[], Any]) -> tuple[Any, str]:
    """What was read, or the message of the UserError; any other exception fails the test."""
    try:
        return read(), ""
    except UserError as error:
        return None, str(error)


def is_cards(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(found, dict) for found in value.values())


FILES: dict[str, tuple[int, Callable[[Path, Plan], Any], Callable[[Any], bool]]] = {
    PLAN: (400, lambda root, plan: read_plan(root), lambda found: isinstance(found, Plan)),
    "references.json": (
        200,
        lambda root, plan: read_record(dict[str, Card], root / "references.json", CURE),
        is_cards,
    ),
    "discrimination.json": (
        300,
        lambda root, plan: read_record(Discrimination, root / "discrimination.json", CURE),
        lambda found: isinstance(found, Discrimination),
    ),
    "summary.json": (
        60,
        lambda root, plan: read_record(Summary, root / "summary.json", CURE),
        lambda found: isinstance(found, Summary),
    ),
    f"trials/*/{STATE}": (
        300,
        lambda root, plan: trial_folder(root, plan.trials[0]).state(),
        lambda found: isinstance(found, TrialState),
    ),
    f"trials/*/{CONDITIONS}": (
        300,
        lambda root, plan: trial_folder(root, plan.trials[0]).conditions(),
        lambda found: isinstance(found, Conditions),
    ),
    f"trials/*/{SCORES}": (
        300,
        lambda root, plan: trial_folder(root, plan.trials[0]).scores(),
        lambda found: isinstance(found, dict) and all(metric.clips is not None for metric in found.values()),
    ),
    "packing.json": (
        300,
        lambda root, plan: best_packing(read_record(list[Packing], root / "packing.json", CURE) or [Packing(1, 0.0)]),
        lambda found: isinstance(found, Packing) and 1 / found.trials <= 1,
    ),
    "trials/*/config.json": (
        400,
        lambda root, plan: read_record(Config, trial_folder(root, plan.trials[0]).path / "config.json", CURE),
        lambda found: isinstance(found, Config),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused_in_one_line_that_names_it(study: tuple[Path, Plan], name: str) -> None:
    root, plan = study
    count, read, has_type = FILES[name]
    path = root / name.replace("*", plan.trials[0].key)
    original = path.read_bytes()
    assert has_type(read(root, plan))
    refused = 0
    try:
        for content in mutations(original, count, seed=len(name)):
            path.write_bytes(content)
            found, message = read_or_refused(lambda: read(root, plan))
            refused += bool(message)
            if message:
                assert len(message.splitlines()) == 1 and str(path) in message, content[:2000]
            else:
                assert has_type(found), content[:2000]
    finally:
        path.write_bytes(original)
    assert refused > count / 2


def test_a_summary_reads_back_as_it_was_written(study: tuple[Path, Plan]) -> None:
    root, plan = study
    references = read_record(dict[str, Card], root / "references.json", CURE)
    apart = read_record(Discrimination, root / "discrimination.json", CURE)
    made = summarise_study(root, plan, references, apart)
    assert read_record(Summary, root / "summary.json", CURE) == made
    assert json.loads((root / "summary.json").read_text()) == json.loads(json.dumps(asdict(made)))


def test_damaged_rows_of_metrics_are_refused_in_one_line_that_names_the_file(study: tuple[Path, Plan]) -> None:
    root, plan = study
    folder = trial_folder(root, plan.trials[0])
    first, *others = (folder.path / ROWS).read_bytes().splitlines(keepends=True)
    refused = 0
    try:
        for content in mutations(first, 300, seed=5):
            (folder.path / ROWS).write_bytes(content + b"\n" + b"".join(others))
            found, message = read_or_refused(folder.rows)
            refused += bool(message)
            if message:
                assert len(message.splitlines()) == 1 and str(folder.path / ROWS) in message, content[:2000]
            else:
                assert all(isinstance(row, MetricsRow) for row in found)
    finally:
        (folder.path / ROWS).write_bytes(b"".join((first, *others)))
    assert refused > 150


def test_a_line_of_metrics_that_is_still_being_written_is_left_out(study: tuple[Path, Plan]) -> None:
    root, plan = study
    folder = trial_folder(root, plan.trials[0])
    whole = (folder.path / ROWS).read_bytes()
    rows = folder.rows()
    assert len(rows) == 3
    try:
        last = len(whole.splitlines(keepends=True)[-1])
        for end in range(len(whole) - last, len(whole)):
            (folder.path / ROWS).write_bytes(whole[:end])
            assert folder.rows() == rows[:-1]
        (folder.path / ROWS).write_bytes(b"")
        assert folder.rows() == []
    finally:
        (folder.path / ROWS).write_bytes(whole)


def test_rows_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / ROWS).mkdir()
    with pytest.raises(UserError, match=f"{ROWS}: Is a directory"):
        TrialFolder(tmp_path).rows()


def test_a_row_without_a_gradient_diagnostic_is_refused(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[0, 1])
    for trial, name in zip([t for t in plan.trials if t.arm == "full"], ("pixel", "identity"), strict=True):
        trial_folder(tmp_path, trial).path.mkdir(parents=True)
        trial_folder(tmp_path, trial).append_row(MetricsRow(8, 1.0, 0.0, {f"gradient_share/{name}": 0.5}))
    with pytest.raises(UserError, match=r"a row at 8 images lacks 'gradient_share/pixel'"):
        gradients_of_arms(tmp_path, plan)

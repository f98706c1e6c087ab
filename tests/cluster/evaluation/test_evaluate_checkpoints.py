"""Checkpoints evaluated in Ray tasks: equal to one process, continued after an interruption, refused where unfair."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.datasets.dataset import existing
from cluster.datasets.prepare import describe_data
from cluster.evaluation.checkpoints import CheckpointSet, read_checkpoints
from cluster.evaluation.evaluate_checkpoints import (
    RESULT_FILE,
    Evaluation,
    evaluate_clips,
    gather,
    plan_evaluation,
    run_evaluation,
)
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.metrics.card import Card, CategorySummary
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.table import METRICS, PROBES
from facegan.nets.vgg import Vgg19
from facegan.report.score_table import score_lines
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import trial_folder
from facegan.training import checkpoint
from facegan.training.state import new_state
from facegan.trial import TrialRun, run_trial

pytestmark = pytest.mark.ray
FEW = Sampling(pairs_per_clip=2, sequence_frames=2)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data: FaceData, data_folder: Path) -> tuple[Path, Plan]:
    """A study of four arms: one trained and scored, one with its first checkpoint, two not started."""
    root = tmp_path_factory.mktemp("study")
    facts = describe_data(existing(StorageURI(str(data_folder))))
    plan = make_plan(
        tiny,
        choose_design("figure2", Config()).arms,
        design="figure2",
        preset="demo",
        seeds=[2],  # half of its images have a face that dlib finds
        data=facts,
        commit="",
    )
    open_study(root, plan)
    with StudyStore(StorageURI(str(root))).trial(plan.trials[0].key) as store:
        assert run_trial(TrialRun(plan.trials[0].config, store), data, torch.device("cpu"), lambda metrics: None) == "COMPLETED"
    begun = plan.trials[3]
    trial_folder(root, begun).path.mkdir(parents=True)
    checkpoint.save(new_state(begun.config, torch.device("cpu")), trial_folder(root, begun).checkpoint)
    return root, plan


@pytest.fixture(scope="module")
def checkpoint_set(study: tuple[Path, Plan]) -> CheckpointSet:
    return read_checkpoints(str(study[0]), None)


def plan_small_evaluation(checkpoint_set: CheckpointSet, out: Path, **options: Any) -> Evaluation:
    return plan_evaluation(checkpoint_set, EvaluatorsConfig(**options), FEW, StorageURI(str(out)))


@pytest.fixture(scope="module")
def in_process(
    checkpoint_set: CheckpointSet, data: FaceData, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Evaluation, dict[str, Any]]:
    """An evaluation in this process, without Ray tasks, and its result."""
    evaluation = plan_small_evaluation(checkpoint_set, tmp_path_factory.mktemp("in_process"))
    assert list(evaluate_clips(evaluation, checkpoint_set.weights, ["5001", "5002"])) == ["5001", "5002"]
    return evaluation, gather(evaluation, data)


def test_a_study_gives_the_checkpoints_of_its_trials(study: tuple[Path, Plan], checkpoint_set: CheckpointSet) -> None:
    assert [(s.label, s.seed, s.images) for s in checkpoint_set.checkpoints] == [
        ("-Cons. seed 2", 2, 32),
        ("Full seed 2", 2, 0),
    ]
    assert checkpoint_set.data.sha256 == study[1].data.sha256
    alone = read_checkpoints(str(trial_folder(study[0], study[1].trials[0]).checkpoint), checkpoint_set.data)
    assert alone.name == study[1].trials[0].key
    assert alone.checkpoints[0].sha256 == checkpoint_set.checkpoints[0].sha256 != checkpoint_set.checkpoints[1].sha256


def test_the_result_has_every_metric_and_notes_on_missing_ones(in_process: tuple[Evaluation, dict[str, Any]]) -> None:
    result = json.loads(json.dumps(in_process[1], allow_nan=False, default=asdict))
    assert set(result["references"]) == {"real target", "source copied", "source warped", "another person"}
    assert all(set(card) == set(METRICS) for card in result["references"].values())
    for found in result["checkpoints"]:
        assert set(found["scores"]) == set(METRICS)
        assert found["scores"]["face_error"]["categories"]["test"]["clips"] == 2
        assert found["scores"]["face_error"]["large_pose"]["clips"] == 2
        assert all(found["scores"][probe]["mean"] is not None for probe in PROBES)
        assert found["scores"]["kid"]["note"] == "not measured: weights missing (--evaluators.kid_weights)"
    assert result["references"]["real target"]["face_error"]["mean"] == 0
    assert result["discrimination"]["people"] == 2
    assert "sha256" in result["evaluators"]["identity"]
    assert result["evaluators_and_losses"] == "no evaluator's file has the hash of a loss's"


def test_scores_equal_those_of_the_trial_itself(
    study: tuple[Path, Plan], checkpoint_set: CheckpointSet, data: FaceData, tmp_path: Path
) -> None:
    own = trial_folder(study[0], study[1].trials[0]).scores()
    assert own is not None
    evaluation = replace(
        plan_small_evaluation(checkpoint_set, tmp_path), checkpoints=checkpoint_set.checkpoints[:1], sampling=Sampling()
    )
    list(evaluate_clips(evaluation, checkpoint_set.weights[:1], ["5001", "5002"]))
    card = gather(evaluation, data)["checkpoints"][0]["scores"]
    assert set(own) == set(card)
    # With other batch sizes a pixel can be rounded to the next grey level.
    for metric in ("face_error", "ssim", "identity_to_target", "identity_jitter"):
        assert card[metric].mean == pytest.approx(own[metric].mean, rel=1e-3, abs=1e-5)


def test_the_table_has_references_first_and_notes_below(in_process: tuple[Evaluation, dict[str, Any]]) -> None:
    result = in_process[1]
    scores = {found["label"]: found["scores"] for found in result["checkpoints"]}
    lines = score_lines(result["references"], scores, result["discrimination"])
    assert lines[0].startswith("all 2 clips")
    names = ["real target", "source copied", "source warped", "another person", "-Cons. seed 2", "Full seed 2"]
    assert [line[: len(name)] for line, name in zip(lines[2:], names, strict=False)] == names
    assert "lpips: not measured: weights missing (--evaluators.lpips_weights)" in lines
    assert lines[-1].startswith("identity evaluator on ")
    first = lines[2].split()
    assert first[2] == "1.00" and len(first) - 2 == len(METRICS)


def test_each_category_has_its_own_table(in_process: tuple[Evaluation, dict[str, Any]]) -> None:
    result = in_process[1]
    categories = {"category_1": CategorySummary(0.5, None, 1), "category_2": CategorySummary(None, None, 1)}

    def in_two(card: Card) -> Card:
        return {metric: replace(s, categories=categories) if s.categories else s for metric, s in card.items()}

    references = {name: in_two(card) for name, card in result["references"].items()}
    scores = {found["label"]: in_two(found["scores"]) for found in result["checkpoints"]}
    lines = score_lines(references, scores, result["discrimination"])
    at = next(i for i, line in enumerate(lines) if line.startswith("category_1, 1 clips"))
    assert lines[at + 2].split()[2:4] == ["0.50", "0.50"]
    assert any(line.startswith("category_2, 1 clips") for line in lines)
    assert any(line.startswith("large pose change, 2 clips") for line in lines)


@pytest.mark.usefixtures("local_ray")
def test_tasks_give_the_result_of_one_process_and_compute_only_missing_parts(
    in_process: tuple[Evaluation, dict[str, Any]],
    checkpoint_set: CheckpointSet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evaluation = plan_small_evaluation(checkpoint_set, tmp_path)
    assert run_evaluation(evaluation, checkpoint_set.weights) == in_process[1]
    assert "2/2 clips" in capsys.readouterr().out
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert len(parts) == 2 * (1 + len(checkpoint_set.checkpoints))
    # What an evaluation leaves that was killed before its last part.
    lost = tmp_path / evaluation.part_key(checkpoint_set.checkpoints[1].sha256, "5002")
    lost.unlink()
    (tmp_path / RESULT_FILE).unlink()
    assert run_evaluation(evaluation, checkpoint_set.weights) == in_process[1]
    output = capsys.readouterr().out
    assert "1 of 2 clips are done already" in output and "1/1 clips" in output
    assert {path: path.stat().st_mtime_ns for path in parts if path != lost} == {p: t for p, t in parts.items() if p != lost}
    assert json.loads((tmp_path / RESULT_FILE).read_text()) == json.loads(json.dumps(in_process[1], default=asdict))


def test_the_key_of_a_part_covers_everything_it_depends_on(
    checkpoint_set: CheckpointSet, in_process: tuple[Evaluation, dict[str, Any]]
) -> None:
    evaluation, first = in_process[0], checkpoint_set.checkpoints[0].sha256
    others = [
        evaluation.part_key(first, "5002"),
        evaluation.part_key(checkpoint_set.checkpoints[1].sha256, "5001"),
        replace(evaluation, sampling=Sampling(pairs_per_clip=3, sequence_frames=2)).part_key(first, "5001"),
        replace(evaluation, fingerprint="0" * 12).part_key(first, "5001"),
        replace(evaluation, data=replace(evaluation.data, sha256="0" * 64)).part_key(first, "5001"),
    ]
    assert len({evaluation.part_key(first, "5001"), *others}) == 6


def test_checkpoints_that_cannot_be_evaluated_are_refused(checkpoint_set: CheckpointSet, tiny: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_checkpoints(str(tmp_path / "nowhere"), None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is no checkpoint"):
        read_checkpoints(str(tmp_path / "empty"), None)
    large = [replace(checkpoint_set.checkpoints[0], config=tiny.override({"data.size": 48}))]
    with pytest.raises(UserError, match=r"images of 32 pixels, -Cons\. seed 2 draws 48"):
        plan_small_evaluation(replace(checkpoint_set, checkpoints=large), tmp_path / "out")
    with pytest.raises(UserError, match=r"--evaluators.lpips_weights is 'nowhere.pth': no such file"):
        plan_small_evaluation(checkpoint_set, tmp_path / "out", lpips_weights="nowhere.pth")
    torch.save(Vgg19(4).state_dict(), tmp_path / "vgg.pth")
    loss = tiny.override({"vgg.width": 64}).override({"vgg.weights": str(tmp_path / "vgg.pth")})
    unfair = replace(checkpoint_set, checkpoints=[replace(checkpoint_set.checkpoints[0], config=loss)])
    with pytest.raises(UserError, match="so it cannot evaluate"):
        plan_small_evaluation(unfair, tmp_path / "out", kid_weights=str(tmp_path / "vgg.pth"))
    assert not (tmp_path / "out").exists()

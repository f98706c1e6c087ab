"""The folder of a live page."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from facegan.config import Config
from facegan.data.ingest.shards import decode_image
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.landmarks.points import PARTS
from facegan.live import folder as live_folder
from facegan.live.checks import LIVE, check_faces, check_out
from facegan.live.export import GREY_LEVEL, draw, draw_in_torch
from facegan.live.folder import write_live_folder
from facegan.live.people import choose_sources
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator
from tests.facegan.live.conftest import Written
from tests.live_study import WITHOUT_CHECKPOINT, live_study


def test_each_arm_with_a_checkpoint_has_its_own_network(written: Written, data: FaceData) -> None:
    """The one that Figure 2 shows."""
    shown, sources = shown_trials(written.plan, written.study), choose_sources(data, 12)
    assert [arm.name for arm in written.live.arms] == [a.name for a in written.plan.arms if a.name != WITHOUT_CHECKPOINT]
    assert written.live.missing == ["-Feature (no run has a checkpoint)"]
    for arm in written.live.arms:
        generator, config = load_generator(trial_folder(written.study, shown[arm.name]).checkpoint)
        drawn = draw(onnx.load(written.out / arm.network), sources.signed(), sources.points)
        expected = draw_in_torch(generator, config, sources.signed(), sources.points)
        assert np.abs(drawn - expected).max() < GREY_LEVEL
        # The difference is that of faces that move: each person has the landmarks of the next.
        moved = np.roll(sources.points, 1, axis=0)
        written_file = draw(onnx.load(written.out / arm.network), sources.signed(), moved)
        differences = np.abs(written_file - draw_in_torch(generator, config, sources.signed(), moved))
        assert arm.difference == pytest.approx(differences.max() / GREY_LEVEL, rel=1e-3)
        assert arm.difference < 1 and arm.bytes == (written.out / arm.network).stat().st_size and arm.images == 32


def test_an_arm_that_draws_no_finite_numbers_is_missing_with_the_reason(
    tiny: Config, data: FaceData, data_folder: Path, tmp_path: Path
) -> None:
    plan = live_study(tmp_path / "study", tiny, data_folder)
    broken = trial_folder(tmp_path / "study", shown_trials(plan, tmp_path / "study")["no_pixel"]).checkpoint
    weights = load_file(broken / "generator.safetensors")
    save_file(weights | {"last.bias": torch.full((4,), np.nan)}, broken / "generator.safetensors")
    live = write_live_folder(tmp_path / "out", tmp_path / "study", plan, data, None, include_faces=False)
    assert [arm.label for arm in live.arms] == ["-Cons.", "Full"]
    assert live.missing == ["-Feature (no run has a checkpoint)", "-Pixel (seed 0 draws no finite numbers)"]
    assert json.loads((tmp_path / "out" / LIVE).read_text())["missing"] == live.missing


def test_live_json_has_what_the_page_shows(written: Written, data: FaceData) -> None:
    live = json.loads((written.out / LIVE).read_text())
    assert live == json.loads(json.dumps(dataclasses.asdict(written.live)))
    assert live["synthetic"] is True and live["size"] == 32 and live["study"] == written.plan.id()
    assert live["crop_scale"] == data.manifest.ingest.crop_scale == 2
    assert {part["name"]: (part["lines"], part["closed"]) for part in live["parts"]} == PARTS
    assert [arm["has_all_terms"] for arm in live["arms"]] == [False, False, True]
    first = live["arms"][0]
    assert (first["label"], first["about"], first["scored_seeds"]) == (
        "-Cons.",
        "without self consistency, triple consistency",
        1,
    )
    assert [score["name"] for score in first["scores"]] == ["target following", "identity kept", "face error", "landmark error"]
    error = first["scores"][2]
    assert error["value"] == "22.0" and error["interval"].startswith("20.") and "less is better" in error["meaning"]


def test_people_are_stored_without_loss(written: Written, data: FaceData) -> None:
    sources = choose_sources(data, 12)
    assert [person.name for person in written.live.people] == sources.names
    for person, image, points in zip(written.live.people, sources.images, sources.points, strict=True):
        assert np.array_equal(decode_image(np.frombuffer((written.out / person.image).read_bytes(), np.uint8)), image)
        assert np.array_equal(np.array(person.points, np.float32), points)


def test_the_folder_is_complete(written: Written) -> None:
    page = Path(live_folder.__file__).parent
    vendored = {f"vendor/{path.name}" for path in (page / "vendor").iterdir() if path.suffix != ".tflite"}
    expected = {path.name for path in (page / "page").iterdir()} | vendored | {"face/detector.onnx", "face/mesh.onnx"}
    files = {path.relative_to(written.out).as_posix() for path in written.out.rglob("*") if path.is_file()}
    made = {LIVE, *(arm.network for arm in written.live.arms), *(person.image for person in written.live.people)}
    assert files == expected | made
    assert not any(path.name.endswith((".partial", ".previous")) for path in written.out.parent.iterdir())


def test_images_of_real_people_are_written_only_if_asked_for(written: Written, data: FaceData, tmp_path: Path) -> None:
    real = FaceData(dataclasses.replace(data.manifest, synthetic=False), data.frames)
    with pytest.raises(UserError, match=r"people are real, .* give --include_faces True, and do not publish"):
        write_live_folder(tmp_path / "out", written.study, written.plan, real, None, include_faces=False)
    assert list(tmp_path.iterdir()) == []
    check_faces(False, True)
    check_faces(True, False)


def test_only_a_live_folder_is_replaced(tmp_path: Path) -> None:
    check_out(tmp_path / "new")
    check_out(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="contains other files; name a new one"):
        check_out(tmp_path)
    with pytest.raises(UserError, match="a file; name a folder"):
        check_out(tmp_path / "thesis.txt")
    (tmp_path / LIVE).write_text("{}")
    check_out(tmp_path)

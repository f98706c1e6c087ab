"""The person whose face is moved, from photos and clips."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.data.ingest.crop import crop_face, face_square
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.landmarks.dlib_finder import dlib_finder
from facegan.landmarks.finder import LandmarkFinder
from facegan.reenact.crops import ingest_of_copy
from facegan.reenact.inputs import RENDERED, Landmarks, check_path, open_clip
from facegan.reenact.source import read_source
from facegan.synthetic.clips import format_points
from tests.facegan.reenact.clips import rendered_frames, write_annotated_clip

INGEST = IngestConfig(size=64, crop_scale=2.2)


def not_asked() -> LandmarkFinder:
    raise AssertionError("no detector is needed")


FILES = Landmarks(None, not_asked)


def write_photo(path: Path, side: int = 240, annotated: bool = True) -> tuple[np.ndarray, np.ndarray]:
    picture, points = rendered_frames(7, 1, side)[0]
    cv2.imwrite(str(path), picture)
    if annotated:
        path.with_suffix(".pts").write_text(format_points(points))
    return picture, points.astype(np.float32)


def test_a_photo_is_cropped_as_training_images_are(tmp_path: Path) -> None:
    picture, points = write_photo(tmp_path / "photo.png")
    source = read_source(str(tmp_path / "photo.png"), INGEST, FILES, 25)
    expected = crop_face(picture, points, face_square(points, 2.2), 64)
    assert np.array_equal(source.crop.image, expected.image[:, :, ::-1]), "the networks take red first"
    np.testing.assert_allclose(source.crop.points, expected.points, atol=1e-2)
    assert np.array_equal(source.picture, picture[:, :, ::-1])
    assert (source.landmarks, source.second, source.rendered) == ("photo.pts", None, False)
    assert source.sha256 == file_sha256(tmp_path / "photo.png")


def test_landmarks_of_a_photo_are_found_by_a_detector_where_no_file_has_them(tmp_path: Path) -> None:
    _, points = write_photo(tmp_path / "photo.png", annotated=False)
    source = read_source(str(tmp_path / "photo.png"), INGEST, Landmarks(None, dlib_finder), 25)
    left, top, side = source.crop.box
    found = (source.crop.points + 0.5) * (side / 64) - 0.5 + [left, top]
    assert np.linalg.norm(found - points, axis=1).mean() < 0.12 * np.ptp(points, axis=0).max()
    assert "dlib" in source.landmarks


def test_a_large_photo_is_reduced_together_with_its_landmarks(tmp_path: Path) -> None:
    picture, points = rendered_frames(7, 1, 240)[0]
    cv2.imwrite(str(tmp_path / "photo.png"), cv2.resize(picture, None, fx=10, fy=10, interpolation=cv2.INTER_NEAREST))
    (tmp_path / "photo.pts").write_text(format_points((points + 0.5) * 10 - 0.5))
    source = read_source(str(tmp_path / "photo.png"), INGEST, FILES, 25)
    assert max(source.picture.shape) == 2048
    left, top, side = source.crop.box
    reduced = (points + 0.5) * 10 * 2048 / (10 * max(picture.shape)) - 0.5
    np.testing.assert_allclose((source.crop.points + 0.5) * (side / 64) - 0.5 + [left, top], reduced, atol=0.02)
    plain = crop_face(picture, points.astype(np.float32), face_square(points.astype(np.float32), 2.2), 64)
    np.testing.assert_allclose(source.crop.points, plain.points, atol=0.7)
    assert np.abs(source.crop.image[:, :, ::-1].astype(int) - plain.image).mean() < 6


def test_a_clip_gives_its_first_face_and_another_frame_of_the_person(tmp_path: Path) -> None:
    clip = write_annotated_clip(tmp_path / "one", 7, 6, without=(1, 6))
    source = read_source(str(clip), INGEST, FILES, 25)
    second, fifth = (rendered_frames(7, 6)[index][1].astype(np.float32) for index in (1, 4))
    for crop, points in ((source.crop, second), (source.second, fifth)):
        assert crop is not None
        left, top, side = crop.box
        np.testing.assert_allclose((crop.points + 0.5) * (side / 64) - 0.5 + [left, top], points, atol=0.01)
    assert source.landmarks == ".pts files" and len(source.sha256) == 64


def test_the_rendered_person_needs_no_file() -> None:
    source = read_source(RENDERED, INGEST, FILES, 25)
    assert source.rendered and source.second is not None and source.sha256 == "" and "SYNTHETIC" in source.name


def test_a_folder_of_images_is_a_clip_at_the_rate_that_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, (picture, _) in enumerate(rendered_frames(7, 3), start=1):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    clip = open_clip(str(folder), "--driving", Landmarks(None, dlib_finder), 12.5)
    assert (float(clip.rate), clip.claimed, clip.video) == (12.5, 3, None) and "dlib" in clip.landmarks
    assert len(list(clip.read())) == 3


def refused(path: Path, annotated: bool | None = None) -> str:
    try:
        check_path(str(path), "--source", photo=True)
        read_source(str(path), INGEST, Landmarks(annotated, dlib_finder), 25)
    except UserError as reason:
        return str(reason)
    raise AssertionError(f"{path} was accepted")


def test_what_is_no_photo_of_a_face_is_refused_with_the_cure(tmp_path: Path) -> None:
    write_photo(tmp_path / "bare.png", annotated=False)
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((120, 120, 3), 90, np.uint8))
    (tmp_path / "damaged.jpg").write_bytes(b"\xff\xd8 nothing")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("a face")
    write_photo(tmp_path / "wrong.png")
    (tmp_path / "wrong.pts").write_text("version: 1\nn_points: 68\n{\n1 2\n}\n")
    write_photo(tmp_path / "dot.png")
    (tmp_path / "dot.pts").write_text(format_points(np.full((68, 2), 7.0)))
    assert "no such file or folder" in refused(tmp_path / "nowhere.png")
    assert "not a file that can be read here" in refused(tmp_path / "notes.txt")
    assert "no face found; give a photo that shows one face" in refused(tmp_path / "wall.png")
    assert "damaged, or no picture" in refused(tmp_path / "damaged.jpg")
    assert "damaged, or no picture" in refused(tmp_path / "empty.png")
    assert "annotation has 1 points instead of 68; correct it, or give --landmarks dlib" in refused(tmp_path / "wrong.png")
    assert "lie in one place; correct it" in refused(tmp_path / "dot.png")
    assert "bare.pts: annotation cannot be read" in refused(tmp_path / "bare.png", annotated=True)


def test_what_is_no_clip_is_refused_by_the_flag_that_named_it(tmp_path: Path) -> None:
    clip = write_annotated_clip(tmp_path / "one", 7, 3)
    (tmp_path / "fake.mp4").write_bytes(b"no video")
    (tmp_path / "empty").mkdir()
    shutil.copytree(clip, tmp_path / "two")
    shutil.copy(clip / "vid.avi", tmp_path / "two" / "again.avi")
    shutil.copytree(clip / "annot", tmp_path / "points" / "annot")
    shutil.copy(clip / "vid.avi", tmp_path / "bare.avi")
    cases = {
        "fake.mp4": "fake.mp4 cannot be read as a video",
        "empty": "it holds no clip",
        "two": "clip two has 2 videos",
        "points": "it holds annotations but neither a video nor images",
        "bare.avi": "it has no .pts files; give --landmarks dlib",
    }
    for name, text in cases.items():
        with pytest.raises(UserError, match=f"^--driving is .*{text}"):
            open_clip(str(tmp_path / name), "--driving", Landmarks(name == "bare.avi" or None, dlib_finder), 25)


def test_the_crops_of_a_study_are_read_from_its_copy_of_the_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    assert ingest_of_copy(manifest) is None
    ingest = (
        '"size": 32, "crop_scale": 1.5, "crop_smoothing": 3.0, "encoding": "png", "jpeg_quality": 95, '
        '"landmarks": "annotations", "check_landmarks": "none"'
    )
    manifest.write_text(f'{{"clips": 7, "ingest": {{{ingest}}}}}')
    assert ingest_of_copy(manifest) == IngestConfig(size=32, crop_scale=1.5, crop_smoothing=3.0, encoding="png")
    for damaged in ("{}", "[1]", '{"ingest": 3}', f'{{"ingest": {{{ingest.replace("1.5", "9.5")}}}}}', '{"ingest": {"size": 3'):
        manifest.write_text(damaged)
        with pytest.raises(UserError, match=r"manifest.json.*make it again with jobs/report.py"):
            ingest_of_copy(manifest)

"""Frames that cannot be right: each is quarantined with its reason and its file, and the others are ingested."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.data.ingest.crop import FLAT, TOO_LARGE
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.data.versions.manifest import Manifest
from facegan.data.versions.quarantine import QuarantineTable
from facegan.landmarks.plausible import APART, EXCHANGED, ONE_PLACE
from facegan.landmarks.points import read_pts
from tests.facegan.data.ingest.videos import face_points, write_pts

BEYOND = "annotation has a coordinate beyond any image"


def ingest_one(
    clips: Path, source: Path, annotation: str, into: Path, smoothing: float = 0.0
) -> tuple[Manifest, list[tuple[int, str, str]]]:
    """Ingest clip 1001 with another annotation of frame 3; returns the manifest and (frame, reason, file) of bad frames."""
    shutil.copytree(clips / "1001", source / "1001")
    (source / "split.json").write_text('{"train": ["1001"]}')
    (source / "1001" / "annot" / "000003.pts").write_text(annotation)
    manifest = ingest_folder(clips_in(source), source, into, IngestConfig(size=32, crop_smoothing=smoothing), synthetic=True)
    rows = QuarantineTable((into / manifest.quarantine.file).read_bytes()).rows()
    return manifest, [(row.frame, row.reason, row.where) for row in rows]


@pytest.mark.parametrize(
    ("line", "reason"),
    [("99999 -99999", APART), ("9999 -9999", APART), ("1e300 5", BEYOND), ("5 -1e38", BEYOND), ("400 90", APART)],
)
@pytest.mark.parametrize("smoothing", [0.0, 3.0])
def test_one_wild_coordinate_costs_one_frame(line: str, reason: str, smoothing: float, clips: Path, tmp_path: Path) -> None:
    lines = (clips / "1001" / "annot" / "000003.pts").read_text().splitlines()
    lines[10] = line
    manifest, bad = ingest_one(clips, tmp_path / "source", "\n".join(lines), tmp_path / "data", smoothing)
    assert bad == [(3, reason, "1001/annot/000003.pts")]
    assert (manifest.rows, manifest.frames_read) == (5, 6)


def test_points_in_one_place_and_exchanged_coordinates_cost_one_frame_each(clips: Path, tmp_path: Path) -> None:
    header = "version: 1\nn_points: 68\n{\n"
    _, bad = ingest_one(clips, tmp_path / "a", header + "40 40\n" * 68 + "}", tmp_path / "in a")
    assert bad == [(3, ONE_PLACE, "1001/annot/000003.pts")]
    swapped = (read_pts(clips / "1001" / "annot" / "000003.pts")[:, ::-1] + 1).tolist()
    _, bad = ingest_one(clips, tmp_path / "b", header + "\n".join(f"{x} {y}" for x, y in swapped) + "\n}", tmp_path / "in b")
    assert bad == [(3, EXCHANGED, "1001/annot/000003.pts")]


def test_a_crop_is_bounded_by_the_image_and_a_flat_one_is_no_face(tmp_path: Path) -> None:
    """Five times a face that fills the image would be padding for the most part."""
    (tmp_path / "001" / "pictures").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    for number, image in enumerate([noise, noise, np.full_like(noise, 128)], 1):
        cv2.imwrite(str(tmp_path / "001" / "pictures" / f"{number}.png"), image)
        write_pts(tmp_path / "001" / "annot" / f"{number}.pts", face_points(size=60 if number == 2 else 40))
    manifest = ingest_folder(
        clips_in(tmp_path), tmp_path, tmp_path / "data", IngestConfig(size=32, crop_scale=5), synthetic=False
    )
    rows = QuarantineTable((tmp_path / "data" / manifest.quarantine.file).read_bytes()).rows()
    assert [(row.frame, row.reason, row.where) for row in rows] == [
        (2, TOO_LARGE, "001/annot/2.pts"),
        (3, FLAT, "001/pictures"),
    ]

"""From a clip to the rows of its Parquet file, and the frames that are rejected on the way."""

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest

from facegan.data.ingest.clip_reader import ClipReader, LocatedFrame
from facegan.data.ingest.crop import crop_face, face_square, smooth_squares
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.face_data import FaceData, open_data
from facegan.data.reading.local_copy import ingest_folder, read_newest


def test_parquet_round_trip(clips: Path, data: FaceData) -> None:
    clip = clips_in(clips)[0]
    frames = [f for f in ClipReader(clip, clips, None).read() if isinstance(f, LocatedFrame)]
    rows = data.clips("train", 0.0)[clip.clip]
    assert list(data.frame[rows]) == [f.frame for f in frames]
    for row, frame in zip(rows, frames, strict=True):
        crop = crop_face(frame.image, frame.points, face_square(frame.points, IngestConfig().crop_scale), 32)
        assert np.array_equal(data.points[row], crop.points)
        stored, cut = data.image(row).astype(int), crop.image[:, :, ::-1].astype(int)
        assert np.abs(stored - cut).mean() < 8  # JPEG


def test_a_row_has_what_is_needed_to_paste_a_generated_face_back(data_folder: Path) -> None:
    file = data_folder / read_newest(data_folder).clips[0].file
    row = pq.read_table(file).slice(0, 1).to_pylist()[0]
    assert set(row) == {
        *("clip", "person", "split", "category", "frame", "image", "landmarks", "crop_box", "source_width", "source_height"),
    }
    assert (row["source_width"], row["source_height"]) == (120, 96)
    assert len(row["landmarks"]) == 136


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
@pytest.mark.parametrize("size", [128, 256])
def test_crops_are_stored_in_either_encoding_and_any_size(
    clips: Path, tmp_path: Path, encoding: Literal["jpeg", "png"], size: int
) -> None:
    how = IngestConfig(size=size, encoding=encoding, crop_smoothing=1.0)
    one = clips_in(clips)[:1]
    ingest_folder(one, clips, tmp_path / "out", how, synthetic=True)
    data = open_data(tmp_path / "out")
    frames = [f for f in ClipReader(one[0], clips, None).read() if isinstance(f, LocatedFrame)]
    squares = [s for s, _ in smooth_squares(((f.frame, face_square(f.points, 2.0), f) for f in frames), 1.0)]
    for row, (frame, square) in enumerate(zip(frames, squares, strict=True)):
        assert square is not None
        crop = crop_face(frame.image, frame.points, square, size)
        error = np.abs(data.image(row).astype(int) - crop.image[:, :, ::-1])
        assert error.max() == 0 if encoding == "png" else 0 < error.mean() < 4
        assert np.array_equal(data.points[row], crop.points)


def damaged_tree(clips: Path, root: Path) -> Path:
    """A clip for every kind of damage; 1001 is whole."""
    shutil.copytree(clips, root)
    whole = (root / "1002" / "vid.avi").read_bytes()
    (root / "1002" / "vid.avi").write_bytes(whole[: len(whole) * 6 // 10])
    (root / "1003" / "annot" / "000002.pts").unlink()
    (root / "1003" / "annot" / "000003.pts").write_text("version: 1\n")
    (root / "1003" / "annot" / "000004.pts").write_text("version: 1\nn_points: 67\n{\n" + "1 2\n" * 67 + "}\n")
    (root / "1003" / "annot" / "000005.pts").write_text("version: 1\nn_points: 68\n{\n" + "nan 2\n" * 68 + "}\n")
    (root / "1003" / "annot" / "000006.pts").write_text("version: 1\nn_points: 68\n{\n" + "900 900\n" * 68 + "}\n")
    (root / "1004" / "vid.avi").unlink()
    (root / "1005" / "annot" / "000007.pts").write_text((root / "1005" / "annot" / "000006.pts").read_text())
    (root / "1005" / "annot" / "000000.pts").write_text((root / "1005" / "annot" / "000006.pts").read_text())
    (root / "5001" / "vid.avi").write_bytes(b"")
    return root


def test_every_damaged_frame_is_quarantined_with_its_reason(clips: Path, tmp_path: Path) -> None:
    root = damaged_tree(clips, tmp_path / "damaged")
    out = tmp_path / "out"
    manifest = ingest_folder(clips_in(root), root, out, IngestConfig(size=32), synthetic=True)
    clip = {c.clip: c for c in manifest.clips}
    table = pq.read_table(out / manifest.quarantine.file).to_pylist()
    reasons = {name: {row["frame"]: row["reason"] for row in table if row["clip"] == name} for name in clip}
    assert (clip["1001"].rows, reasons["1001"]) == (6, {})
    assert reasons["1003"] == {
        2: "annotation missing",
        3: "annotation is not a .pts file",
        4: "annotation has 67 points instead of 68",
        5: "annotation has a coordinate that is no finite number",
        6: "most landmarks lie outside the image",
    }
    assert 1 <= clip["1002"].rows <= 4
    assert set(reasons["1002"]) == set(range(clip["1002"].rows + 1, 7))
    # The file ends within a frame, or between two.
    assert set(reasons["1002"].values()) - {"frame cannot be decoded"} == {"video ends before this frame"}
    assert reasons["1004"] == dict.fromkeys(range(1, 7), "video missing or unreadable") == reasons["5001"]
    assert reasons["1005"] == {0: "annotation belongs to no frame", 7: "video ends before this frame"}
    where = {(row["clip"], row["frame"]): row["where"] for row in table}
    assert where["1003", 3] == "1003/annot/000003.pts"
    assert where["5001", 1] == "5001/vid.avi"
    assert {name: c.frames_read for name, c in clip.items()} == {c: {"1005": 8}.get(c, 6) for c in clip}
    assert manifest.rows == sum(c.rows for c in manifest.clips)
    assert manifest.quarantined == sum(len(r) for r in reasons.values()) == len(table)
    assert manifest.frames_read == manifest.rows + manifest.quarantined
    # What is left is a data set.
    assert len(open_data(out).frame) == manifest.rows
    assert not list(out.rglob("*.partial"))

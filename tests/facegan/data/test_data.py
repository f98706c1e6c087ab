"""The way of the data: 300VW folder, crop, Parquet, sampling. Nothing lost, nothing silent."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.clip_reader import ClipReader, LocatedFrame
from facegan.data.clip_record import Quarantined
from facegan.data.crop import Square, crop_face, face_square, steady
from facegan.data.face_data import FaceData, open_data
from facegan.data.frames import OTHER_SIZE, UNDECODABLE, Frame, claimed_frames, decode
from facegan.data.ingest_config import IngestConfig
from facegan.data.local_copy import ingest_folder, read_newest
from facegan.data.manifest import ManifestClip
from facegan.data.sampling import batches, sample, training_clips
from facegan.data.sources import clips_in
from facegan.errors import UserError
from facegan.landmarks.points import mirror


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


def test_rows_carry_what_a_result_needs_to_be_pasted_back(data_folder: Path) -> None:
    file = data_folder / read_newest(data_folder).clips[0].file
    row = pq.read_table(file).slice(0, 1).to_pylist()[0]
    assert set(row) == {
        *("clip", "person", "split", "category", "frame", "image", "landmarks", "crop_box", "source_width", "source_height"),
    }
    assert (row["source_width"], row["source_height"]) == (120, 96)
    assert len(row["landmarks"]) == 136


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_landmarks_stay_exact_through_crop_and_flip(offset: float) -> None:
    """On an image whose colour is its coordinate, the colour under a landmark tells where it came from."""
    points = np.random.default_rng(0).uniform(60, 140, (68, 2)).astype(np.float32) + offset
    crop = crop_face(gradient(200, 200), points, face_square(points, 2.0), 128)
    left, top, side = crop.box
    back = (crop.points + 0.5) * side / 128 - 0.5 + [left, top]
    assert np.abs(back - points).max() < 0.01
    flipped = mirror(mirror(crop.points, 128), 128)
    assert np.abs(flipped - crop.points).max() < 0.01
    inner = [p for p in crop.points if (p > 2).all() and (p < 125).all()]
    for x, y in inner[:10]:
        colour = cv2.getRectSubPix(crop.image.astype(np.float32), (1, 1), (float(x), float(y)))[0, 0]
        origin = np.array([(x + 0.5) * side / 128 - 0.5 + left, (y + 0.5) * side / 128 - 0.5 + top])
        assert np.abs(colour[:2] - origin).max() < 1.5


def test_a_face_at_the_border_is_padded_not_shrunk() -> None:
    points = np.random.default_rng(1).uniform(0, 60, (68, 2)).astype(np.float32)
    points[30] = 5
    crop = crop_face(gradient(100, 100), points, face_square(points, 2.25), 64)
    assert crop.image.shape == (64, 64, 3)
    extent = (points.max(0) - points.min(0)).max()
    assert abs(crop.box[2] - 2.25 * extent) <= 1
    assert crop.box[0] < 0 and crop.box[1] < 0


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


def test_ingest_of_every_kind_of_damage(clips: Path, tmp_path: Path) -> None:
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
    assert set(reasons["1002"].values()) == {"video ends before this frame"}
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


def test_the_official_split_holds_all_114_videos() -> None:
    from facegan.data.sources import _OFFICIAL

    lists = {name: ids.split() for name, ids in _OFFICIAL.items()}
    assert {name: len(ids) for name, ids in lists.items()} == {
        "train": 50,
        "category_1": 31,
        "category_2": 19,
        "category_3": 14,
    }
    assert len({i for ids in lists.values() for i in ids}) == 114


def test_official_ids_need_no_split_file(tmp_path: Path) -> None:
    for clip in ("001", "114", "203", "410"):
        (tmp_path / clip / "annot").mkdir(parents=True)
        (tmp_path / clip / "annot" / "000001.pts").touch()
    assert [(c.clip, c.split, c.category) for c in clips_in(tmp_path)] == [
        ("001", "train", "train"),
        ("114", "test", "category_1"),
        ("203", "test", "category_2"),
        ("410", "test", "category_3"),
    ]


def test_an_unknown_clip_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "my_clip").mkdir()
    (tmp_path / "my_clip" / "film.mp4").touch()
    with pytest.raises(UserError, match="my_clip"):
        clips_in(tmp_path)


@pytest.mark.parametrize("damage", ["schema", "json", "changed", "missing", "outside"])
def test_a_data_set_that_is_not_ours_is_refused(data_folder: Path, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "copy")
    path = folder / "manifest-000001.json"
    # Another list of reasons makes it another data set, of which this machine has no copy yet.
    manifest = json.loads(path.read_text()) | {"reasons": {"none": 0}}
    file = folder / manifest["clips"][0]["file"]
    if damage == "schema":
        manifest["schema_version"] = 99
    elif damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        file.unlink()
    elif damage == "outside":
        manifest["clips"][0]["file"] = "clips/../../secret.parquet"
    path.write_text("{" if damage == "json" else json.dumps(manifest))
    said = {
        "schema": "made with schema 99",
        "json": "damaged",
        "changed": "sha256 differs",
        "missing": "is missing",
        "outside": r"file is .*secret.parquet': clips/<name>.parquet",
    }
    with pytest.raises(UserError, match=said[damage]):
        open_data(folder)


def test_sampling_is_a_pure_function_of_seed_and_step(data: FaceData, tiny: Config) -> None:
    clips = training_clips(data, tiny)
    a, b = (sample(clips, 3, 17, 8, True) for _ in range(2))
    assert all(np.array_equal(getattr(a, n), getattr(b, n)) for n in a.__slots__)
    other = sample(clips, 3, 18, 8, True)
    assert not np.array_equal(a.source, other.source)
    assert not np.array_equal(a.source, sample(clips, 4, 17, 8, True).source)


def test_three_different_frames_of_one_clip(data: FaceData, tiny: Config) -> None:
    clips = training_clips(data, tiny)
    of_clip = {int(row): i for i, rows in enumerate(clips) for row in rows}
    for step in range(50):
        t = sample(clips, 0, step, 8, True)
        for a, b, c in zip(t.source, t.target, t.third, strict=True):
            assert len({a, b, c}) == 3
            assert of_clip[a] == of_clip[b] == of_clip[c]


def test_ranks_share_the_global_batch(data: FaceData, tiny: Config) -> None:
    whole = sample(training_clips(data, tiny), 0, 5, 8, True)
    for world in (1, 2, 4):
        parts = [whole.part(rank, world).source for rank in range(world)]
        assert sorted(np.concatenate(parts)) == sorted(whole.source)


def test_every_arm_of_a_seed_sees_the_same_batches(data: FaceData, tiny: Config) -> None:
    arms = [tiny, tiny.override({"loss.pixel": 0.0}), tiny.override({"loss.perceptual": 0.0, "loss.identity": 0.0})]
    feeds = [batches(data, arm, 0, 0, 1, pin=False) for arm in arms]
    for _ in range(5):
        first, *others = [next(feed) for feed in feeds]
        assert all((first.source == o.source).all() and (first.third_points == o.third_points).all() for o in others)


def test_a_resumed_feed_goes_on_where_it_was(data: FaceData, tiny: Config) -> None:
    whole = batches(data, tiny, 0, 0, 1, pin=False)
    for _ in range(4):
        next(whole)
    assert (next(whole).target == next(batches(data, tiny, 4, 0, 1, pin=False)).target).all()


def test_validation_and_test_people_are_never_trained_on(data: FaceData) -> None:
    parts = {part: set(data.clips(part, 0.2)) for part in ("train", "validation", "test")}
    assert parts["train"].isdisjoint(parts["validation"] | parts["test"])
    assert len(parts["validation"]) == 1 and len(parts["train"]) == 4
    assert parts["test"] == {"5001", "5002"}
    assert set(data.clips("train", 0.0)) == parts["train"] | parts["validation"]


def test_mirrored_samples_have_mirrored_landmarks(data: FaceData, tiny: Config) -> None:
    t = sample(training_clips(data, tiny), 0, 0, 16, True)
    batch = data.batch(t)
    assert t.mirrored.any() and not t.mirrored.all()
    for i, (row, flipped) in enumerate(zip(t.source, t.mirrored, strict=True)):
        image, points = data.image(row), data.points[row]
        expected = (image[:, ::-1], mirror(points, 32)) if flipped else (image, points)
        assert np.array_equal(batch.source[i].numpy().transpose(1, 2, 0), expected[0])
        assert np.array_equal(batch.source_points[i].numpy(), expected[1])


def test_data_of_another_size_is_refused(data: FaceData) -> None:
    with pytest.raises(UserError, match=r"32 pixels, data\.size is 128"):
        training_clips(data, Config())


def test_resident_frames_give_the_same_batches(data: FaceData, tiny: Config) -> None:
    from facegan.data.resident import resident_batches

    for rank, world in ((0, 1), (1, 2)):
        decoded = batches(data, tiny, 3, rank, world, pin=False)
        resident = resident_batches(data, tiny, 3, rank, world, torch.device("cpu"))
        for _ in range(6):
            a, b = next(decoded), next(resident)
            assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in a.__slots__)


def test_resident_frames_that_do_not_fit_are_refused(data: FaceData, tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    from facegan.data import resident

    monkeypatch.setattr(resident, "_free_bytes", lambda device: 2**16)
    with pytest.raises(UserError, match=r"data\.resident is True: .* set it to False"):
        next(resident.resident_batches(data, tiny, 0, 0, 1, torch.device("cpu")))


def moving_squares() -> list[tuple[int, Square | None, str]]:
    rng = np.random.default_rng(0)
    frames: list[tuple[int, Square | None, str]] = [
        (n, Square(100 + n + rng.normal(), 50 + rng.normal(), 80.0), f"frame {n}") for n in range(1, 41)
    ]
    frames[9] = (10, None, "frame 10")
    return frames


def test_steady_crops_follow_the_face_with_less_jitter() -> None:
    frames = moving_squares()
    out = list(steady(iter(frames), 3.0))
    assert [what for _, what in out] == [what for _, _, what in frames]
    assert out[9][0] is None
    x = np.array([s.x for s, _ in out if s is not None])
    raw = np.array([s.x for _, s, _ in frames if s is not None])
    assert np.diff(x[9:], 2).std() < 0.1 * np.diff(raw[9:], 2).std()  # beyond the gap, where one step is two frames wide
    assert np.abs(x - raw)[8:-8].max() < 3.5
    # The plain formula, over all frames within four widths.
    number = 20
    near = [(n, s) for n, s, _ in frames if s is not None and abs(n - number) <= 12]
    weights = np.exp(-0.5 * ((np.array([n for n, _ in near]) - number) / 3.0) ** 2)
    mean = out[number - 1][0]
    assert mean is not None
    assert mean.x == pytest.approx(float(weights @ [s.x for _, s in near] / weights.sum()))


def test_without_smoothing_squares_stay_as_they_are() -> None:
    frames = moving_squares()
    assert [s for s, _ in steady(iter(frames), 0.0)] == [s for _, s, _ in frames]


def test_smoothing_looks_no_further_ahead_than_it_needs() -> None:
    taken = 0

    def counted() -> Iterator[tuple[int, Square | None, str]]:
        nonlocal taken
        for n in range(1, 10_000):
            taken = n
            yield n, Square(1.0, 1.0, 2.0), ""

    out = steady(counted(), 2.0)
    for _ in range(100):
        next(out)
    assert taken <= 100 + 8


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
@pytest.mark.parametrize("size", [128, 256])
def test_encodings_and_sizes(clips: Path, tmp_path: Path, encoding: Literal["jpeg", "png"], size: int) -> None:
    how = IngestConfig(size=size, encoding=encoding, crop_smoothing=1.0)
    one = clips_in(clips)[:1]
    ingest_folder(one, clips, tmp_path / "out", how, synthetic=True)
    data = open_data(tmp_path / "out")
    frames = [f for f in ClipReader(one[0], clips, None).read() if isinstance(f, LocatedFrame)]
    squares = [s for s, _ in steady(((f.frame, face_square(f.points, 2.0), f) for f in frames), 1.0)]
    for row, (frame, square) in enumerate(zip(frames, squares, strict=True)):
        assert square is not None
        crop = crop_face(frame.image, frame.points, square, size)
        error = np.abs(data.image(row).astype(int) - crop.image[:, :, ::-1])
        assert error.max() == 0 if encoding == "png" else 0 < error.mean() < 4
        assert np.array_equal(data.points[row], crop.points)


def video(path: Path, codec: str, frames: int = 5) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    assert writer.isOpened(), codec
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 40 * number % 256, np.uint8))
    writer.release()


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.avi", "XVID"), ("a.avi", "FFV1"), ("a.mp4", "mp4v"), ("a.mov", "mp4v")]
)
def test_videos_of_every_kind_are_read(tmp_path: Path, name: str, codec: str) -> None:
    video(tmp_path / name, codec)
    frames = list(decode(tmp_path / name))
    assert [f.number for f in frames] == [1, 2, 3, 4, 5]
    assert claimed_frames(tmp_path / name) == 5
    assert all(isinstance(f, Frame) and abs(float(f.image.mean()) - 40 * (f.number - 1)) < 6 for f in frames)


def test_each_frame_of_a_long_clip_has_its_own_landmarks(tmp_path: Path) -> None:
    """Annotations are read ahead, by groups; the frames are no multiple of a group."""
    (tmp_path / "001" / "annot").mkdir(parents=True)
    video(tmp_path / "001" / "vid.avi", "MJPG", frames=150)
    for number in set(range(1, 151)) - {65, 150}:
        row = f"{number / 10 + 1} 5\n"
        (tmp_path / "001" / "annot" / f"{number:06d}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{row * 68}}}\n")
    (clip,) = clips_in(tmp_path)
    frames = list(ClipReader(clip, tmp_path, None).read())
    missing = [(f.frame, f.reason, f.where) for f in frames if isinstance(f, Quarantined)]
    assert missing == [(n, "annotation missing", f"001/annot/{n:06d}.pts") for n in (65, 150)]
    located = [f for f in frames if isinstance(f, LocatedFrame)]
    assert len(located) == 148
    assert all(abs(f.points[0, 0] - f.frame / 10) < 1e-5 for f in located)


def test_a_folder_of_images_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "11.png").write_bytes(b"")
    (tmp_path / "12.jpg").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "13.png"), np.zeros((8, 9, 3), np.uint8))
    assert [int(f.image[0, 0, 0]) if isinstance(f, Frame) else f.reason for f in decode(tmp_path)] == [
        *(1, 2, 9, 10, UNDECODABLE, UNDECODABLE, OTHER_SIZE)
    ]


def test_a_header_that_claims_millions_of_frames_is_not_believed(tmp_path: Path) -> None:
    """The count of frames lies at two places of an .avi's header; damage there must not fill the memory."""
    video(tmp_path / "vid.avi", "MJPG")
    content = bytearray((tmp_path / "vid.avi").read_bytes())
    for field in (content.index(b"avih") + 24, content.index(b"strh") + 40):
        content[field : field + 4] = (2_000_000_000).to_bytes(4, "little")
    (tmp_path / "vid.avi").write_bytes(content)
    assert 5 <= claimed_frames(tmp_path / "vid.avi") < len(content)
    assert len(list(decode(tmp_path / "vid.avi"))) == 5


def test_clips_of_every_layout(tmp_path: Path) -> None:
    video(tmp_path / "one.mp4", "mp4v")
    (tmp_path / "two").mkdir()
    video(tmp_path / "two" / "holiday.mov", "mp4v")
    (tmp_path / "three").mkdir()
    cv2.imwrite(str(tmp_path / "three" / "1.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "split.json").write_text('{"train": ["one", "two"], "test": ["three"]}')
    assert {c.clip: (c.video, c.split) for c in clips_in(tmp_path)} == {
        "one": ("one.mp4", "train"),
        "three": ("three", "test"),
        "two": ("two/holiday.mov", "train"),
    }
    video(tmp_path / "two" / "again.mov", "mp4v")
    with pytest.raises(UserError, match="clip two has 2 videos"):
        clips_in(tmp_path)


def test_the_local_copy_is_made_once_and_shared(clips: Path, tmp_path: Path) -> None:
    from facegan.data.local_copy import checked_file, local_copy

    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=48), synthetic=True)
    manifest, fetched = read_newest(tmp_path / "set"), []

    def fetch(clip: ManifestClip, _: Path) -> Path:
        fetched.append(clip.clip)
        return checked_file(tmp_path / "set", clip)

    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(lambda _: local_copy(manifest, tmp_path / "cache", fetch), range(4)))
    assert len(copies) == 1
    assert sorted(fetched) == [c.clip for c in manifest.clips]
    (copy,) = copies
    # A copy that was cut is noticed by its size, and made again.
    whole = (copy / "images.bin").read_bytes()
    (copy / "images.bin").write_bytes(whole[:-1])
    assert local_copy(manifest, tmp_path / "cache", fetch) == copy
    assert (copy / "images.bin").read_bytes() == whole
    assert len(whole) == sum(c.image_bytes for c in manifest.clips)

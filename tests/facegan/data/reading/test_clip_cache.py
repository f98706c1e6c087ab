"""Training from a part of the data: the same batches, whatever is kept, with clips fetched ahead and removed again."""

import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.cache import cache_limit
from facegan.config import Config
from facegan.data.reading import clip_cache, fetched_frames
from facegan.data.reading.batch import Batch
from facegan.data.reading.cached_copies import remove_copies
from facegan.data.reading.clip_cache import ClipCache, clips_folder, only_one
from facegan.data.reading.clip_files import checked_file
from facegan.data.reading.face_data import FaceData, fits, open_data
from facegan.data.reading.fetched_frames import FetchedFrames
from facegan.data.reading.local_copy import read_newest
from facegan.data.reading.resident import resident_batches
from facegan.data.reading.sampling import batches, sample, training_clips
from facegan.data.versions.clip_table import ManifestClip
from facegan.errors import UserError
from facegan.metrics.pairs import choose_pairs, images_of

QUARTER = "0.00001"
"""FACEGAN_CACHE_GB: of the seven clips of `data_folder`, each of 11 kB, hardly one stays."""


@pytest.fixture
def part(data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FaceData:
    """The data set on a machine with an empty cache that is smaller than it."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEGAN_CACHE_GB", QUARTER)
    found = open_data(data_folder)
    assert isinstance(found.frames, FetchedFrames)
    return found


def counted(folder: Path, fetched: list[str]) -> Callable[[ManifestClip, Path], Path]:
    def fetch(clip: ManifestClip, _: Path) -> Path:
        fetched.append(clip.clip)
        return checked_file(folder, clip, "repair it")

    return fetch


def equal(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in a.__slots__)


def kept() -> list[Path]:
    return sorted(clips_folder().glob("*.arrow"))


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (1, 2)])
def test_batches_are_those_of_a_complete_copy(data: FaceData, part: FaceData, tiny: Config, rank: int, world: int) -> None:
    whole, of_part = (batches(d, tiny, 3, rank, world, pin=False) for d in (data, part))
    for _ in range(30):
        assert equal(next(whole), next(of_part))
    assert sum(path.stat().st_size for path in kept()) < 30_000, "three clips of seven at the most"
    assert not list((clips_folder().parent).glob("data/*")), "no copy was made"


def test_everything_else_reads_the_same_values(data: FaceData, part: FaceData, tiny: Config) -> None:
    assert all(np.array_equal(data.encoded(row), part.encoded(row)) for row in range(len(data.frame)))
    everything = np.random.default_rng(0).integers(42, size=200)
    assert np.array_equal(images_of(data, everything), images_of(part, everything))
    assert choose_pairs(part, "test", tiny, per_clip=1).clip == choose_pairs(data, "test", tiny, per_clip=1).clip
    rows = np.array([[41, 0], [7, 7]])
    for ours, theirs in ((part.points, data.points), (part.frame, data.frame)):
        assert len(ours) == len(theirs) == 42
        assert np.array_equal(np.asarray(ours), theirs) and np.asarray(ours).dtype == np.asarray(theirs).dtype
        assert np.array_equal(ours[rows], theirs[rows]) and np.array_equal(ours[5], theirs[5])
        assert np.array_equal(ours[3:9], theirs[3:9]) and ours[rows[:0]].shape == theirs[rows[:0]].shape
        for wrong in (42, -1, np.ones(42, np.bool_)):
            with pytest.raises(IndexError, match="rows from 0 to 41"):
                ours[wrong]
    on_device = (resident_batches(d, tiny, 0, 0, 1, torch.device("cpu")) for d in (data, part))
    assert equal(*(next(feed) for feed in on_device))


def test_what_a_job_checks_before_it_starts_fetches_nothing(part: FaceData, tiny: Config) -> None:
    training_clips(part, tiny)
    choose_pairs(part, "test", tiny, per_clip=1)
    assert kept() == []


def test_a_limit_that_holds_everything_makes_a_complete_copy(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    size = read_newest(data_folder).clips.total("file_bytes")
    for limit, whole in ((size - 1, False), (size, True)):
        monkeypatch.setenv("FACEGAN_CACHE_GB", f"{limit / 1e9:.9f}")
        assert open_data(data_folder).frames.ahead == (0 if whole else 16)
    monkeypatch.setenv("FACEGAN_CACHE_GB", QUARTER)
    assert open_data(data_folder).frames.ahead == 0, "a copy that is there is used"


def test_downloads_count_beside_the_copy_that_is_made_of_them(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = read_newest(data_folder)
    monkeypatch.setenv("FACEGAN_CACHE_GB", f"{manifest.clips.total('file_bytes') * 2 / 1e9 - 1e-9:.9f}")
    assert fits(manifest, downloads=False) and not fits(manifest, downloads=True)


def test_how_much_is_open_and_fetched_ahead_follows_from_the_limit_and_the_batch(
    part: FaceData, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched_frames, "_AHEAD", (2, 6))
    monkeypatch.setattr(fetched_frames, "_CLIPS_OPEN", 0)
    monkeypatch.setattr(fetched_frames, "_BATCHES_OPEN", 2)
    clip = part.manifest.clips.total("file_bytes") / 7
    for limit, ahead in ((clip, 2), (clip * 16.1, 4), (clip * 40, 6)):
        assert FetchedFrames(part.manifest, ClipCache(int(limit), counted(data_folder, []))).ahead == ahead
    frames = FetchedFrames(part.manifest, ClipCache(1, counted(data_folder, [])))
    frames.frame[:]
    assert list(frames._open) == [5, 6], "two clips of seven, those used last"
    frames.expect(np.array([0, 1, 6]))
    frames.frame[:]
    assert len(frames._open) == 6, "and two batches of two clips"


def test_a_clip_is_fetched_once_for_a_batch_whatever_the_limit(part: FaceData, data_folder: Path, tiny: Config) -> None:
    fetched: list[str] = []
    data = FaceData(part.manifest, FetchedFrames(part.manifest, ClipCache(1, counted(data_folder, fetched))))
    data.batch(sample(training_clips(data, tiny), 0, 0, 64, True))
    assert len(fetched) == len(set(fetched)) == 4


def test_a_clip_that_was_made_anew_is_not_read_from_the_old_file(part: FaceData, data_folder: Path) -> None:
    """Another version of PyArrow or OpenCV makes other bytes of the same clip under the same name."""
    fetched: list[str] = []
    cache = ClipCache(10**9, counted(data_folder, fetched))
    first = part.manifest.clips[0]
    cache.table(first)
    with pytest.raises(UserError, match="is not the file that was ingested"):
        cache.table(replace(first, sha256="0" * 64))
    assert len(fetched) == 2


@pytest.mark.parametrize("value", ["x", "0", "-1", "nan", "inf"])
def test_a_wrong_limit_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_CACHE_GB", value)
    with pytest.raises(UserError, match=f"FACEGAN_CACHE_GB is '{value}': a number of gigabytes above 0; unset it"):
        cache_limit()


def test_the_clips_used_last_stay(part: FaceData, data_folder: Path) -> None:
    clips = list(part.manifest.clips)
    fetched: list[str] = []
    ClipCache(10**9, counted(data_folder, fetched)).table(clips[0])
    size = kept()[0].stat().st_size
    cache = ClipCache(int(4.2 * size * 8 / 7), counted(data_folder, fetched))
    for clip in (*clips[1:4], clips[0], clips[4]):
        cache.table(clip)
        time.sleep(0.01)  # so that times of use differ
    assert [path.name.split("-")[0] for path in kept()] == [clips[i].clip for i in (0, 2, 3, 4)], "1 was used longest ago"
    assert fetched == [clip.clip for clip in clips[:5]]
    cache.table(clips[1])
    assert fetched[5:] == [clips[1].clip]


def test_a_clip_that_another_process_removes_stays_readable(part: FaceData, data_folder: Path) -> None:
    cache = ClipCache(10**9, counted(data_folder, []))
    table = cache.table(part.manifest.clips[0])
    before = table.column("image")[5].as_buffer().to_pybytes()
    kept()[0].unlink()
    assert table.column("image")[5].as_buffer().to_pybytes() == before


def test_clips_are_fetched_side_by_side_before_they_are_needed(part: FaceData, data_folder: Path, tiny: Config) -> None:
    """No fetch ends before four have begun, and the feed has expected later batches when it gives the first one."""
    lock, begun = threading.Condition(), []

    def fetch(clip: ManifestClip, _: Path) -> Path:
        with lock:
            begun.append(clip.clip)
            lock.notify_all()
            assert lock.wait_for(lambda: len(set(begun)) >= 4, timeout=60), "clips are fetched one after the other"
        return checked_file(data_folder, clip, "")

    data = FaceData(part.manifest, FetchedFrames(part.manifest, ClipCache(10**9, fetch)))
    next(batches(data, tiny, 0, 0, 1, pin=False))
    assert set(begun) == set(data.clips("train", tiny.data.validation_fraction)), "also the clips of later batches, no other"


def test_the_rows_of_every_batch_are_expected_in_time(part: FaceData, tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = part.frames
    assert isinstance(frames, FetchedFrames)
    frames.ahead = 5  # with two ranks three batches of four samples
    calls: list[list[int]] = []
    monkeypatch.setattr(frames, "expect", lambda rows: calls.append(rows.tolist()))
    feed = batches(part, tiny, 7, 1, 2, pin=False)
    for _ in range(4):
        next(feed)
    feed.close()
    chosen = [sample(training_clips(part, tiny), tiny.seed, 7 + i, 4, tiny.data.flip).part(1, 2) for i in range(7)]
    wanted = [[*t.source.tolist(), *t.target.tolist(), *t.third.tolist()] for t in chosen]
    assert calls[:3] == wanted[:3], "before the first batch is decoded"
    assert all(rows in calls for rows in wanted)


def test_a_clip_is_fetched_once_by_several_threads(part: FaceData, data_folder: Path) -> None:
    fetched: list[str] = []
    cache = ClipCache(10**9, counted(data_folder, fetched))
    threads = [threading.Thread(target=cache.table, args=(part.manifest.clips[i % 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fetched) == [part.manifest.clips[i].clip for i in range(2)]
    assert not list(clips_folder().glob("*-*.lock")), "no file is left for each clip"


def _train_in_a_process(folder: Path, config: Config) -> bytes:
    feed = batches(open_data(folder), config, 0, 0, 1, pin=False)
    return b"".join(next(feed).source.numpy().tobytes() for _ in range(40))


@pytest.mark.slow
def test_processes_share_the_cache(data: FaceData, part: FaceData, data_folder: Path, tiny: Config) -> None:
    """Three processes that fetch and remove each other's clips all the time read the same batches."""
    feed = batches(data, tiny, 0, 0, 1, pin=False)
    expected = b"".join(next(feed).source.numpy().tobytes() for _ in range(40))
    with get_context("spawn").Pool(3) as pool:
        assert pool.starmap(_train_in_a_process, [(data_folder, tiny)] * 3) == [expected] * 3


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_shard_that_is_damaged_during_training_is_named(
    part: FaceData, data_folder: Path, tmp_path: Path, tiny: Config, damage: str
) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "set")
    data = open_data(folder)
    feed = batches(data, tiny, 0, 0, 1, pin=False)
    next(feed)
    for path in [*kept(), *(folder / clip.file for clip in data.manifest.clips)]:
        path.write_bytes(b"x") if damage == "changed" and path.suffix == ".parquet" else path.unlink()
    said = "is not the file that was ingested" if damage == "changed" else "is missing although the manifest names it"
    fresh = batches(open_data(folder), tiny, 0, 0, 1, pin=False)
    with pytest.raises(UserError, match=rf"^data set: clip 100\d: .*{said}.*; repair it with jobs/ingest.py.*$"):
        deque(islice(fresh, 100))


def test_a_kept_clip_that_was_cut_is_fetched_again(part: FaceData, data_folder: Path) -> None:
    fetched: list[str] = []
    cache = ClipCache(10**9, counted(data_folder, fetched))
    whole = cache.table(part.manifest.clips[0])
    os.truncate(kept()[0], 3000)
    fresh = ClipCache(10**9, counted(data_folder, fetched)).table(part.manifest.clips[0])
    assert fetched == ["1001"] * 2 and len(fresh) == len(whole)


def test_a_full_disk_is_one_line(part: FaceData, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clip_cache, "_write", full)
    with pytest.raises(UserError, match=r"arrow: No space left on device, while a clip .*; correct this, lower FACEGAN"):
        part.image(0)
    assert kept() == []


def test_unfinished_files_of_killed_processes_are_removed(part: FaceData) -> None:
    clips_folder().mkdir(parents=True)
    left, written = (
        clips_folder() / f"{key}.0123456789abcdef.arrow.1.partial" for key in ("a.b-012345678901", "c-012345678901")
    )
    for path in (left, written):
        path.write_bytes(b"x")
        os.utime(path, (0, 0))  # what the clock says is no matter: it may have jumped
    with only_one("c-012345678901"):
        part.image(0)
    assert not left.exists() and written.exists()
    assert [path.name for path in clips_folder().glob("*.lock")] == ["room.lock"]


def test_removing_a_clip_removes_it_from_the_kept_ones(part: FaceData, data_folder: Path) -> None:
    cache = ClipCache(10**9, counted(data_folder, []))
    for clip in part.manifest.clips:
        cache.table(clip)
    first = part.manifest.clips[0]
    download = clips_folder() / "downloads" / f"{first.key}.parquet.partial"
    download.parent.mkdir()
    download.write_bytes(b"x")
    assert remove_copies([], [first.file]) == 1
    assert len(kept()) == 6 and not [path for path in clips_folder().rglob("*") if first.key in path.name]
    assert remove_copies([], [first.file]) == 0

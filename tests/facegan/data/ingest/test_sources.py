"""The clips of a folder and their split."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.data.ingest.sources import clips_in
from facegan.data.ingest.split import _OFFICIAL
from facegan.errors import UserError
from tests.facegan.data.ingest.videos import write_video


def test_the_official_split_has_all_114_videos() -> None:
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


def test_a_clip_outside_the_official_split_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "my_clip").mkdir()
    (tmp_path / "my_clip" / "film.mp4").touch()
    with pytest.raises(UserError, match="my_clip"):
        clips_in(tmp_path)


def test_videos_and_folders_of_images_are_clips(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", "mp4v")
    (tmp_path / "two").mkdir()
    write_video(tmp_path / "two" / "holiday.mov", "mp4v")
    (tmp_path / "three").mkdir()
    cv2.imwrite(str(tmp_path / "three" / "1.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "split.json").write_text('{"train": ["one", "two"], "test": ["three"]}')
    assert {c.clip: (c.video, c.split) for c in clips_in(tmp_path)} == {
        "one": ("one.mp4", "train"),
        "three": ("three", "test"),
        "two": ("two/holiday.mov", "train"),
    }
    write_video(tmp_path / "two" / "again.mov", "mp4v")
    with pytest.raises(UserError, match="clip two has 2 videos"):
        clips_in(tmp_path)

"""Whatever lies in a source is ingested or named with a reason."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import (
    A_FOLDER,
    DANGLING,
    EMPTY,
    FORBIDDEN,
    LONG_NAME,
    LOOP,
    NO_FILE,
    ODD_NAME,
    IngestedSource,
    SourceFile,
)
from facegan.data.ingest.sources import (
    NO_CLIP,
    NO_NUMBER,
    NOT_NEEDED,
    OUTSIDE_OF_A_CLIP,
    clips_in,
    find_clips,
    fingerprint,
    found_in,
)
from facegan.data.reading.local_copy import ingest_folder
from facegan.data.versions.quarantine import QuarantineTable
from facegan.errors import UserError
from tests.facegan.data.ingest.videos import face_points, write_pts

SPLIT = b'{"train": ["a", "b"], "test": ["c"]}'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two clips that nothing is wrong with."""
    folder = tmp_path / "source"
    for clip in ("a", "b"):
        for number in (1, 2, 3):
            write_pts(folder / clip / "annot" / f"{number:06d}.pts", face_points())
    (folder / "split.json").write_bytes(SPLIT)
    return folder


def refusals(folder: Path) -> list[tuple[str, str, bool]]:
    return [(one.where, one.reason, one.clip) for one in found_in(folder).refused]


def fifo_for_annotation(folder: Path) -> None:
    (folder / "a/annot/000003.pts").unlink()
    os.mkfifo(folder / "a/annot/000003.pts")


def folder_for_annotation(folder: Path) -> None:
    (folder / "a/annot/000003.pts").unlink()
    (folder / "a/annot/000003.pts").mkdir()


def annotations_twice(folder: Path) -> None:
    shutil.copytree(folder / "a/annot", folder / "a/annot_old")


def clip_in_latin_1(folder: Path) -> None:
    shutil.copytree(folder / "a", folder / os.fsdecode(b"caf\xe9"))


@pytest.mark.parametrize(
    ("make", "refused"),
    [
        (lambda f: (f / "c").mkdir(), ("c", EMPTY, True)),
        (lambda f: (f / "c").symlink_to("/nowhere"), ("c", DANGLING, True)),
        (lambda f: (f / "c").symlink_to(f), ("c", LOOP, True)),
        (lambda f: (f / "c").symlink_to("c"), ("c", DANGLING, True)),
        (lambda f: write_pts(f / "c" / "notes.txt", face_points()), ("c", NO_CLIP, True)),
        (lambda f: shutil.copytree(f / "a", f / "c\\d"), ("c\\d", ODD_NAME, True)),
        (lambda f: shutil.copytree(f / "a", f / "c\nd"), ("c\\nd", ODD_NAME, True)),
        (clip_in_latin_1, ("caf\\xe9", ODD_NAME, True)),
        (lambda f: shutil.copytree(f / "a", f / ("c" * 210)), ("c" * 210, LONG_NAME, True)),
        (lambda f: shutil.copytree(f / "a", f / "c.partial"), ("c.partial", ODD_NAME, True)),
        (lambda f: (f / "c.partial.mp4").touch(), ("c.partial.mp4", ODD_NAME, True)),
        (lambda f: (f / "c.webm").touch(), ("c.webm", NOT_NEEDED, False)),
        (lambda f: (f / "c.png").touch(), ("c.png", OUTSIDE_OF_A_CLIP, False)),
        (lambda f: (f / "a" / "annot" / "x.txt").touch(), ("a/annot/x.txt", NOT_NEEDED, False)),
        (lambda f: (f / "a/annot/000009.pts").symlink_to("/nowhere"), ("a/annot/000009.pts", DANGLING, False)),
        (lambda f: (f / "a/annot/frame.pts").touch(), ("a/annot/frame.pts", NO_NUMBER, False)),
        (lambda f: (f / "a/annot/99999999999.pts").touch(), ("a/annot/99999999999.pts", NO_NUMBER, False)),
        (lambda f: (f / "a/annot/3.pts").touch(), ("a/annot/3.pts", "a/annot/000003.pts is of the same frame", False)),
        (fifo_for_annotation, ("a/annot/000003.pts", NO_FILE, False)),
        (folder_for_annotation, ("a/annot/000003.pts", A_FOLDER, False)),
        (annotations_twice, ("a/annot_old", "the annotations of a/annot are used", False)),
    ],
)  # fmt: skip
def test_what_is_not_ingested_is_named(
    make: Callable[[Path], None], refused: tuple[str, str, bool], source: Path, tmp_path: Path
) -> None:
    """It stops nothing: the two clips are found as before, and the record of the source can be stored."""
    assert refusals(source) == []
    before = [clip.clip for clip in clips_in(source)]
    make(source)
    assert refusals(source) == [refused]
    found = found_in(source)
    assert [clip.clip for clip in found.clips] == before == ["a", "b"]
    facts = IngestedSource("", len(found.clips), found.refused)
    assert facts.counts() == f"{2 + refused[2]} clips found = 2 ingested + {int(refused[2])} refused"
    assert facts.lines() == [f"1 x {refused[1]}: {refused[0]}"]


def test_hidden_files_and_the_files_of_the_layout_are_no_sources(source: Path) -> None:
    for name in (".DS_Store", "a/.DS_Store", "synthetic.json", ".trash/c/annot/000001.pts"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    assert refusals(source) == []


def test_the_standard_folder_of_annotations_is_used(clips: Path, tmp_path: Path) -> None:
    """It was the folder that was listed last."""
    source = tmp_path / "source"
    shutil.copytree(clips / "1001", source / "1001")
    (source / "split.json").write_text('{"train": ["1001"]}')
    for number in range(1, 7):
        write_pts(source / "1001" / "annot_old" / f"{number:06d}.pts", face_points())
    (clip,) = clips_in(source)
    assert set(clip.annotations().values()) == {f"1001/annot/{number:06d}.pts" for number in range(1, 7)}
    (source / "1001" / "annot").rename(source / "1001" / "annot_new")
    with pytest.raises(UserError, match="annotations in 1001/annot_new and 1001/annot_old; keep one, 1001/annot"):
        clips_in(source)


@pytest.mark.parametrize("kind", ["folder", "pipe", "dangling"])
def test_a_split_that_is_no_file_is_refused(kind: str, source: Path) -> None:
    """Without it, the official split would be used in silence."""
    path = source / "split.json"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/nowhere")
    with pytest.raises(UserError, match=r"split\.json: .*; correct or remove it"):
        clips_in(source)


@pytest.mark.parametrize("depth", [100, 900, 100_000])
@pytest.mark.parametrize("place", ["{deep}", '{{"train": {deep}}}', '{{"train": ["a"], "people": {{"a": {deep}}}}}'])
def test_a_split_of_deep_json_is_refused_in_one_line(depth: int, place: str, source: Path) -> None:
    (source / "split.json").write_text(place.format(deep="[" * depth + "]" * depth))
    with pytest.raises(UserError) as refused:
        clips_in(source)
    assert len(str(refused.value)) < 400


def test_an_annotation_that_cannot_be_read_costs_one_frame(clips: Path, tmp_path: Path) -> None:
    """The tests may run as root, who can read everything; a disk with a bad sector answers the same."""
    source = tmp_path / "source"
    shutil.copytree(clips / "1001", source / "1001")
    (source / "split.json").write_text('{"train": ["1001"]}')
    found, bad = clips_in(source), source / "1001" / "annot" / "000003.pts"
    bad.unlink()
    bad.mkdir()  # after it was listed
    manifest = ingest_folder(found, source, tmp_path / "data", IngestConfig(size=32), synthetic=True)
    (row,) = QuarantineTable((tmp_path / "data" / manifest.quarantine.file).read_bytes()).rows()
    assert (row.frame, row.reason) == (3, "annotation cannot be read (Is a directory)")
    assert row.where == "1001/annot/000003.pts"
    assert (manifest.rows, manifest.frames_read) == (5, 6)


def test_nothing_but_refused_clips_is_an_error_that_names_the_first(source: Path) -> None:
    for clip in ("a", "b"):
        shutil.rmtree(source / clip)
        (source / clip).symlink_to("/nowhere")
    with pytest.raises(UserError, match=r"it holds no clip.*; a: a link to nothing"):
        clips_in(source)


def test_a_file_that_this_user_may_not_read_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, who may read everything."""
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, how: not str(path).endswith("000002.pts") and may(path, how))
    assert refusals(source) == [(f"{clip}/annot/000002.pts", FORBIDDEN, False) for clip in ("a", "b")]
    before = fingerprint(found_in(source))
    monkeypatch.undo()
    assert fingerprint(found_in(source)) != before


def test_a_listing_of_a_bucket_is_treated_as_a_folder_is() -> None:
    """A bucket has no folders, but keys with any characters."""
    keys = ["a/annot/000001.pts", "b/.hidden/x.pts", "c\\d/vid.avi", "e.partial/vid.avi", "readme.txt"]
    found = find_clips([SourceFile(key, 1, "") for key in keys], [], SPLIT, "bucket")
    assert [clip.clip for clip in found.clips] == ["a"]
    assert [(one.where, one.reason) for one in found.refused] == [
        ("c\\d/vid.avi", ODD_NAME),
        ("e.partial/vid.avi", ODD_NAME),
        ("readme.txt", NOT_NEEDED),
    ]
    assert np.unique([one.clip for one in found.refused]).tolist() == [False]

"""Old versions of a data set are listed, and deleted with the files that only they have."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.datasets.dataset import DataSet, existing
from cluster.storage.uri import StorageURI
from facegan.errors import UserError

Job = Callable[..., None]
Printed = pytest.CaptureFixture[str]


def at(data: Path) -> DataSet:
    return existing(StorageURI(str(data)))


def files(data: Path) -> set[str]:
    return {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()}


@pytest.fixture
def three_versions(data: Path, source: Path, ingest_job: Job) -> DataSet:
    """Version 1 of three clips; a frame of 1001 is missing in version 2, and version 3 lacks 1002, which was removed.

    Returns the first.
    """
    first = at(data)
    (source / "1001" / "annot" / "000002.pts").unlink()
    ingest_job("--source", source, "--data", data, "--size", 32, "--replace", True)
    ingest_job("--data", data, "--remove", "1002")
    return first


def test_each_version_is_listed(three_versions: DataSet, data: Path, ingest_job: Job, capsys: Printed) -> None:
    before = files(data)
    capsys.readouterr()
    ingest_job("--data", data, "--versions", "list")
    one, two, three, newest = capsys.readouterr().out.splitlines()
    assert one.startswith("version 1: 18 frames of 3 clips, 0.0 MB; gone: it held 1002")
    assert two.startswith("version 2: 17 frames of 3 clips, ") and two.endswith("; gone: it held 1002")
    assert three.startswith("version 3: 11 frames of 2 clips, ")
    assert newest == "newest   3; --versions prune deletes the others"
    assert files(data) == before


def test_what_only_old_versions_have_is_deleted(
    three_versions: DataSet, data: Path, source: Path, ingest_job: Job, capsys: Printed
) -> None:
    newest, before = at(data), files(data)
    whole = {key: (data / key).read_bytes() for key in before}
    capsys.readouterr()
    ingest_job("--data", data, "--versions", "prune")
    said = capsys.readouterr().out
    left = files(data)
    needed = {clip.file for clip in newest.manifest().clips} | {"manifest-000003.json", "removed/1002"}
    assert needed <= left and {(data / key).read_bytes() == whole[key] for key in left} == {True}
    # Of each of the two clips the Parquet file and the record, the two tables, the manifest and the note of the removal.
    assert len(left) == 8
    deleted = before - left
    assert said.startswith(f"pruned   2 versions, {len(deleted) - 2} files of them alone, ") and "version 3 stays" in said
    assert any(key.startswith("clips/1001-") and key.endswith(".parquet") for key in deleted), "that of version 1"
    ingest_job("--data", data, "--verify", True)
    ingest_job("--data", data, "--versions", "prune")
    assert "pruned   0 versions, 0 files of them alone, 0.0 MB; version 3 stays" in capsys.readouterr().out
    ingest_job("--source", source, "--data", data, "--size", 32)
    ingest_job("--data", data, "--verify", True)
    assert {clip.file for clip in at(data).manifest().clips} == {clip.file for clip in newest.manifest().clips}


def test_a_study_on_a_version_that_was_deleted_is_told_so(
    three_versions: DataSet, data: Path, ingest_job: Job, capsys: Printed
) -> None:
    (data / "removed" / "1002").unlink()  # otherwise that is the reason
    ingest_job("--data", data, "--versions", "prune")
    with pytest.raises(UserError, match=r"version 1 is gone \(manifest-000001.json was deleted\); use version 3"):
        three_versions.open()
    capsys.readouterr()
    ingest_job("--data", data, "--versions", "list")
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == ["version 3"]


def test_a_version_that_cannot_be_read_is_listed_and_deleted(
    three_versions: DataSet, data: Path, ingest_job: Job, capsys: Printed
) -> None:
    (data / "manifest-000001.json").write_text("{")
    capsys.readouterr()
    ingest_job("--data", data, "--versions", "list")
    assert capsys.readouterr().out.startswith("version 1: its manifest cannot be read\nversion 2: ")
    ingest_job("--data", data, "--versions", "prune")
    assert sorted(path.name for path in data.glob("manifest-*")) == ["manifest-000003.json"]


def test_nothing_is_deleted_where_the_newest_cannot_be_read(three_versions: DataSet, data: Path, ingest_job: Job) -> None:
    (data / "manifest-000003.json").write_text("{")
    before = files(data)
    with pytest.raises(UserError, match="its manifest is damaged"):
        ingest_job("--data", data, "--versions", "prune")
    assert files(data) == before

"""What is left out of a source is printed and kept; the same clips are one data set wherever they lie."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.datasets.dataset import existing
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from jobs import describe
from tests.cluster.storage.s3_environment import s3_client

Job = Callable[..., None]


@pytest.fixture
def source(clips: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for clip in ("1001", "1002", "1003", "5001"):
        shutil.copytree(clips / clip, folder / clip)
    (folder / "split.json").write_text('{"train": ["1001", "1002", "1003"], "test": ["5001"]}')
    return folder


def test_what_is_left_out_is_printed_kept_and_described(
    source: Path, ingest_job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    ingest_job("--source", source, "--data", data, "--size", 32)
    assert f"source   {source}: 4 clips found = 4 ingested + 0 refused\n" in capsys.readouterr().out
    (source / "1004").symlink_to("/nowhere")
    shutil.copytree(source / "1001" / "annot", source / "1001" / "annot_old")
    ingest_job("--source", source, "--data", data, "--size", 32)
    said = [
        f"source   {source}: 5 clips found = 4 ingested + 1 refused",
        "         left out: 1 x the annotations of 1001/annot are used: 1001/annot_old",
        "         left out: 1 x a link to nothing: 1004",
    ]
    assert "\n".join(said) in capsys.readouterr().out
    kept = existing(StorageURI(str(data))).manifest().sources[str(source)]
    assert [(one.where, one.clip) for one in kept.refused] == [("1001/annot_old", False), ("1004", True)]
    describe.main(describe.Describe(data=str(data), sheet=tmp_path / "sheet.png"))
    said[0] = said[0].replace(f"{source}:", f"{source}, when it was ingested last:")
    assert "\n".join(said) in capsys.readouterr().out


def test_too_many_refused_clips_fail_the_job(source: Path, ingest_job: Job, tmp_path: Path) -> None:
    for clip in ("1004", "1005"):
        (source / clip).mkdir()
    with pytest.raises(UserError, match=r"2 of 6 clips are refused, more than --max_quarantined 0\.2 allows.*1004: an empty"):
        ingest_job("--source", source, "--data", tmp_path / "data", "--size", 32)
    assert not (tmp_path / "data").exists()
    ingest_job("--source", source, "--data", tmp_path / "data", "--size", 32, "--max_quarantined", 0.5)


@pytest.mark.s3
@pytest.mark.slow
def test_the_same_clips_in_a_folder_and_in_a_bucket_are_one_data_set(
    moto: str, source: Path, ingest_job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    ingest_job("--source", source, "--data", data, "--size", 32)
    for path in (p for p in source.rglob("*") if p.is_file()):
        s3_client().upload_file(str(path), "faces", f"clips/{path.relative_to(source).as_posix()}")
    for odd in ("1001//annot/1.pts", "1002/vid.avi.partial"):
        s3_client().put_object(Bucket="faces", Key=f"clips/{odd}", Body=b"x")
    capsys.readouterr()
    bucket = StorageURI("s3://faces/clips")
    ingest_job("--source", bucket, "--data", data, "--size", 32)
    reason = "its key has an empty part, a part of dots or one that ends with .partial"
    assert f"left out: 2 x {reason}: 1001//annot/1.pts, 1002/vid.avi.partial" in capsys.readouterr().out
    ingest_job("--source", bucket, "--data", tmp_path / "other", "--size", 32)
    of_folder, of_bucket = existing(StorageURI(str(data))), existing(StorageURI(str(tmp_path / "other")))
    assert of_folder.sha256 == of_bucket.sha256
    assert {p.name for p in (data / "clips").glob("*.parquet")} == {
        p.name for p in (tmp_path / "other/clips").glob("*.parquet")
    }
    # A job that is run again asks for no content of what is done.
    (tmp_path / "other" / "manifest-000001.json").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cluster.datasets.ingest_task.local_root", None)
        ingest_job("--source", bucket, "--data", tmp_path / "other", "--size", 32)
    assert existing(StorageURI(str(tmp_path / "other"))).sha256 == of_folder.sha256

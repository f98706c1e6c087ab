"""A clip whose consent is withdrawn: no version, file, copy or later ingest of the data set has it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from cluster.datasets.dataset import DataSet, existing
from cluster.datasets.remove import remove_clip
from cluster.storage.objects import Unreachable
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from jobs import describe

Job = Callable[..., None]


@pytest.fixture
def source(source: Path) -> Path:
    """The shared clips, with a frame that is quarantined."""
    (source / "1001" / "annot" / "000002.pts").unlink()
    return source


def at(data: Path) -> DataSet:
    return existing(StorageURI(str(data)))


def mentions(folder: Path, content: bytes) -> list[Path]:
    """The files below a folder that contain some bytes."""
    return [path for path in folder.rglob("*") if path.is_file() and content in path.read_bytes()]


def test_a_removed_clip_is_in_no_file_and_no_copy(
    data: Path, source: Path, ingest_job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = at(data)
    faces = old.open()
    image = faces.encoded(int(faces.clips("train", 0.0)["1001"][0])).tobytes()
    shutil.copytree(data, tmp_path / "another data set with the clip")
    assert len(mentions(tmp_path, image)) == 3
    capsys.readouterr()
    ingest_job("--data", data, "--remove", "1001")
    said = capsys.readouterr().out
    assert "removed  clip 1001: 2 files on storage; local copies: 1 on this machine" in said
    assert f"data     {data}: version 2, 12 frames of 2 clips\n" in said
    assert "version 1 is gone: it held 1001\n" in said
    assert mentions(data, image) == mentions(tmp_path / "cache", image) == []
    manifest = at(data).manifest()
    assert [clip.clip for clip in manifest.clips] == ["1002", "5001"]
    assert (manifest.rows, manifest.quarantined) == (12, 0)
    ingest_job("--data", data, "--verify", True)
    with pytest.raises(UserError, match=r"version 1 is gone: clip 1001 was removed for good; use the newest version") as gone:
        old.open()
    assert "\n" not in str(gone.value)
    # As if the clip had never been there.
    shutil.rmtree(source / "1001")
    (source / "split.json").write_text('{"train": ["1002"], "test": ["5001"]}')
    ingest_job("--source", source, "--data", tmp_path / "fresh", "--size", 32)
    assert at(tmp_path / "fresh").sha256 == at(data).sha256


def test_a_copy_on_a_machine_that_removal_did_not_reach_is_not_opened(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a laptop outside of the cluster."""
    before = at(data)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "elsewhere"))
    before.open()
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    remove_clip(StorageURI(str(data)), "1001")
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match="version 1 is gone: clip 1001 was removed for good"):
        before.open()


def test_no_later_ingest_or_repair_brings_it_back(
    data: Path, source: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_job("--data", data, "--remove", "1001")
    for more in ([], ["--repair", True], ["--replace", True]):
        capsys.readouterr()
        ingest_job("--source", source, "--data", data, "--size", 32, *more)
        out = capsys.readouterr().out
        assert "are there already" in out or "1 x it was removed from this data set with --remove: 1001" in out
        assert [clip.clip for clip in at(data).manifest().clips] == ["1002", "5001"]
        assert not list((data / "clips").glob("1001-*"))


def test_a_clip_that_is_removed_during_an_ingest_is_not_published(
    data: Path, source: Path, ingest_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster.datasets import ingest

    run = ingest._run_tasks

    def run_then_remove(*arguments: object) -> object:
        records = run(*arguments)  # type: ignore[arg-type]
        remove_clip(StorageURI(str(data)), "1001")
        (data / "clips" / "1001-0123456789ab.parquet").touch()
        return records

    monkeypatch.setattr(ingest, "_run_tasks", run_then_remove)
    (source / "1002" / "annot" / "000003.pts").unlink()
    ingest_job("--source", source, "--data", data, "--size", 32, "--replace", True)
    assert [clip.clip for clip in at(data).manifest().clips] == ["1002", "5001"]
    assert not list((data / "clips").glob("1001-*"))


def test_it_can_be_run_again_and_refuses_what_it_cannot_do(
    data: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_job("--data", data, "--remove", "1001")
    capsys.readouterr()
    ingest_job("--data", data, "--remove", "1001")
    assert "removed  clip 1001: 0 files on storage" in capsys.readouterr().out
    assert at(data).version == 2
    for clip, said in {"1003": "did you mean", "../x": "no version of", "a/b": "no version of"}.items():
        with pytest.raises(UserError, match=f"--remove is '{clip}': .*{said}"):
            ingest_job("--data", data, "--remove", clip)
    ingest_job("--data", data, "--remove", "1002")
    with pytest.raises(UserError, match="no other clip has frames; delete"):
        ingest_job("--data", data, "--remove", "5001")
    assert sorted(path.name for path in (data / "removed").iterdir()) == ["1001", "1002"]


def test_a_clip_whose_name_begins_like_the_removed_one_stays(clips: Path, ingest_job: Job, tmp_path: Path) -> None:
    for name in ("a", "a-0123456789ab", "b"):
        shutil.copytree(clips / "1001", tmp_path / "source" / name)
    (tmp_path / "source" / "split.json").write_text('{"train": ["a", "a-0123456789ab", "b"]}')
    data = tmp_path / "data"
    ingest_job("--source", tmp_path / "source", "--data", data, "--size", 32)
    ingest_job("--data", data, "--remove", "a")
    assert [clip.clip for clip in at(data).manifest().clips] == ["a-0123456789ab", "b"]
    ingest_job("--data", data, "--verify", True)


def test_a_version_that_cannot_be_read_is_listed(data: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    ingest_job("--data", data, "--remove", "1002")
    (data / "manifest-000001.json").write_text("{")
    capsys.readouterr()
    ingest_job("--data", data, "--remove", "1001")
    out = capsys.readouterr().out
    assert re.search(r"version 1 cannot be checked: .*\n *version 2 is gone: it held 1001\n", out), out
    describe.main(describe.Describe(data=str(data), sheet=data.parent / "sheet.png"))
    assert "version 2 is gone: it held 1001\n" in capsys.readouterr().out


def test_a_server_that_does_not_answer_is_no_damaged_version(
    data: Path, source: Path, ingest_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies of a version that is taken for damaged would stay."""
    (source / "1002" / "annot" / "000003.pts").unlink()
    ingest_job("--source", source, "--data", data, "--size", 32, "--replace", True)
    read, whole = StorageURI.read, sorted(data.rglob("*"))

    def refused(uri: StorageURI, name: str) -> bytes:
        if name == "manifest-000001.json":
            raise Unreachable("the server does not answer")
        return read(uri, name)

    monkeypatch.setattr(StorageURI, "read", refused)
    with pytest.raises(Unreachable):
        remove_clip(StorageURI(str(data)), "1001")
    assert sorted(data.rglob("*")) == whole


@pytest.mark.ray
@pytest.mark.slow
def test_copies_on_other_nodes_are_deleted(
    idle_head: Cluster, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two nodes on this machine, each with a cache of its own."""
    at(data).open()
    for node in ("one", "two"):
        shutil.copytree(tmp_path / "cache", tmp_path / node)
        idle_head.add_node(num_cpus=1, env_vars={"FACEGAN_CACHE": str(tmp_path / node)})
    idle_head.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", idle_head.address)
    remove_clip(StorageURI(str(data)), "1001")
    assert re.search(r"local copies: 1 on this machine, 1 on node \S+, 1 on node \S+\n", capsys.readouterr().out)
    for node in ("cache", "one", "two"):
        assert not [path for path in (tmp_path / node / "data").iterdir() if path.is_dir()]


@pytest.mark.s3
@pytest.mark.slow
def test_a_clip_is_removed_from_a_bucket(moto: str, source: Path, ingest_job: Job) -> None:
    data = StorageURI("s3://faces/consent")
    ingest_job("--source", source, "--data", data, "--size", 32)
    old = existing(data)
    ingest_job("--data", data, "--remove", "1001")
    assert not [entry.key for entry in data.entries("clips/1001")]
    assert len(existing(data).open().frame) == 12
    with pytest.raises(UserError, match="version 1 is gone: clip 1001 was removed for good"):
        old.open()

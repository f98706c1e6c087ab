"""Damaged data sets: what --verify reports, what --repair mends, and that every command in a message works."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.datasets.dataset import existing
from cluster.storage.objects import Unreachable
from cluster.storage.uri import StorageURI
from facegan.errors import UserError

Job = Callable[..., None]
MANIFEST = "manifest-000001.json"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def commands_in(message: str) -> list[list[str]]:
    """The arguments of the commands that a message names."""
    return [shlex.split(found) for found in re.findall(r"jobs/ingest\.py (.*?--repair True)", message)]


def command_in(message: str) -> list[str]:
    """The arguments of the only command that a message names."""
    (found,) = commands_in(message)
    return found


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "flipped": (flip, "*.parquet", r"clip 1001: clips/1001-.*\.parquet: its sha256 differs"),
    "cut": (cut, "*.parquet", r"clip 1001: clips/1001-.*\.parquet: it has \d+ bytes, \d+ were ingested"),
    "deleted": (Path.unlink, "*.parquet", r"clip 1001: clips/1001-.*\.parquet: it is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_clip_is_reported_and_the_printed_command_repairs_it(
    damage: str, data: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = bytes_of(data)
    how, pattern, said = DAMAGE[damage]
    (path,) = (data / "clips").glob(f"1001-{pattern}")
    how(path)
    capsys.readouterr()
    with pytest.raises(UserError, match="1 of its files, of 1 of 3 clips, are not what was ingested; repair it") as found:
        ingest_job("--data", data, "--verify", True)
    assert re.fullmatch(rf"bad      {said}.*\n", capsys.readouterr().out)
    ingest_job(*command_in(str(found.value)))
    assert bytes_of(data) == whole
    assert len(existing(StorageURI(str(data))).open().frame) == 18
    capsys.readouterr()
    ingest_job("--data", data, "--verify", True)
    out = capsys.readouterr().out
    assert re.fullmatch(r"data     .*/data: version 1, 3 clips, 0\.\d MB: every file is what was ingested\n", out), out


@pytest.mark.parametrize("damage", ["flipped", "deleted"])
def test_a_reader_names_the_command_that_repairs_the_file(damage: str, data: Path, ingest_job: Job) -> None:
    how, pattern, _ = DAMAGE[damage]
    (path,) = (data / "clips").glob(f"1001-{pattern}")
    how(path)
    with pytest.raises(UserError, match=rf"clip 1001: {path} is ") as refused:
        existing(StorageURI(str(data))).open()
    ingest_job(*command_in(str(refused.value)))
    assert len(existing(StorageURI(str(data))).open().frame) == 18


@pytest.mark.parametrize("damage", ["cut", "another schema", "empty", "table flipped", "table deleted"])
def test_a_manifest_that_cannot_be_read_is_replaced_by_a_new_version(
    damage: str, data: Path, source: Path, ingest_job: Job
) -> None:
    path = data / MANIFEST
    whole = path.read_bytes()
    kinds = {"cut": whole[:300], "another schema": re.sub(rb'version": \d+', b'version": 1', whole), "empty": b"{}"}
    path.write_bytes(kinds.get(damage, whole))
    if damage.startswith("table"):
        (table,) = data.glob("clips-*.parquet")
        flip(table) if damage == "table flipped" else table.unlink()
    with pytest.raises(UserError, match=r"make a new version with jobs/ingest\.py") as refused:
        ingest_job("--data", data, "--verify", True)
    with pytest.raises(UserError, match=r"make a new version with jobs/ingest\.py"):
        ingest_job("--data", data, "--source", source, "--size", 32)
    command = [str(source) if word == "CLIPS" else word for word in command_in(str(refused.value))]
    ingest_job(*command, "--size", 32)
    assert (data / "manifest-000002.json").read_bytes() == whole
    ingest_job("--data", data, "--verify", True)


@pytest.mark.parametrize("key", ["manifest-", "clips-"])
def test_storage_that_cannot_be_read_is_no_damage(
    key: str, data: Path, source: Path, ingest_job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair would write a new version, without the clips of other sources."""
    read, before = StorageURI.read, bytes_of(data)

    def refused(uri: StorageURI, name: str) -> bytes:
        if name.startswith(key):
            raise Unreachable("the server does not answer")
        return read(uri, name)

    monkeypatch.setattr(StorageURI, "read", refused)
    with pytest.raises(Unreachable):
        ingest_job("--data", data, "--source", source, "--size", 32, "--repair", True)
    assert bytes_of(data) == before


def test_a_data_set_of_schema_4_is_named_and_repaired_without_making_its_clips_again(
    data: Path, source: Path, ingest_job: Job
) -> None:
    """Version 4 listed the clips in the manifest."""
    manifest = existing(StorageURI(str(data))).manifest()
    clips = [{"file": clip.file, "clip": clip.clip, "record": clip.file.replace("parquet", "json")} for clip in manifest.clips]
    stored = json.loads((data / MANIFEST).read_text())
    (data / MANIFEST).write_text(json.dumps(stored | {"schema_version": 4, "clips": clips}))
    next(data.glob("clips-*.parquet")).unlink()
    files = {path: path.stat().st_mtime_ns for path in (data / "clips").iterdir()}
    with pytest.raises(UserError, match="made with schema 4, this program reads 5; make a new version with") as refused:
        existing(StorageURI(str(data)))
    command = [str(source) if word == "CLIPS" else word for word in command_in(str(refused.value))]
    ingest_job(*command, "--size", 32)
    assert {path: path.stat().st_mtime_ns for path in (data / "clips").iterdir()} == files
    assert existing(StorageURI(str(data))).version == 2
    assert existing(StorageURI(str(data))).manifest() == manifest


def test_a_flipped_shard_is_not_published_again_after_its_manifest_is_deleted(
    data: Path, source: Path, ingest_job: Job
) -> None:
    whole = bytes_of(data)
    flip(next((data / "clips").glob("1002-*.parquet")))
    (data / MANIFEST).unlink()
    ingest_job("--data", data, "--source", source, "--size", 32)
    assert bytes_of(data) == whole


def test_a_lost_quarantine_table_is_written_again(data: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    whole = bytes_of(data)
    next(data.glob("quarantine-*")).unlink()
    with pytest.raises(UserError, match=r"quarantine-.* is missing although the manifest names it; repair it with"):
        existing(StorageURI(str(data))).quarantine()
    capsys.readouterr()
    with pytest.raises(UserError, match="1 of its files, of 0 of 3 clips") as found:
        ingest_job("--data", data, "--verify", True)
    assert re.fullmatch(r"bad      quarantine-.*\.parquet: it is missing\n", capsys.readouterr().out)
    ingest_job(*command_in(str(found.value)))
    assert bytes_of(data) == whole


def test_a_repair_from_one_of_two_sources_says_what_is_still_broken(
    clips: Path, data: Path, ingest_job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(clips / "1003", other / "1003")
    (other / "split.json").write_text('{"train": ["1003"]}')
    ingest_job("--source", other, "--data", data, "--size", 32)
    for clip in ("1001", "1003"):
        flip(next((data / "clips").glob(f"{clip}-*.parquet")))
    with pytest.raises(UserError, match=r"2 of its files.*repair it with .*, and with jobs/ingest.py"):
        ingest_job("--data", data, "--verify", True)
    capsys.readouterr()
    with pytest.raises(UserError, match="1 of its files, of 1 of 4 clips"):
        ingest_job("--data", data, "--source", other, "--repair", True)
    assert "bad      clip 1001: " in capsys.readouterr().out


def test_a_lost_manifest_names_a_command_that_works(data: Path, source: Path, ingest_job: Job) -> None:
    planned = existing(StorageURI(str(data)))
    (data / MANIFEST).unlink()
    with pytest.raises(UserError, match="put the data set back, or make a new version with") as refused:
        planned.manifest()
    ingest_job(*[str(source) if word == "CLIPS" else word for word in command_in(str(refused.value))], "--size", 32)
    assert existing(StorageURI(str(data))) == planned


def test_a_data_set_is_extended_without_the_records_of_its_clips(
    clips: Path, data: Path, ingest_job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is there, the manifest and its two tables are read, however many clips they list."""
    other = tmp_path / "other"
    shutil.copytree(clips / "1003", other / "1003")
    (other / "split.json").write_text('{"train": ["1003"]}')
    for record in (data / "clips").glob("100[12]-*.json"):
        record.unlink()
    read, keys = StorageURI.read, set()

    def counted(uri: StorageURI, key: str) -> bytes:
        keys.add(key)
        return read(uri, key)

    monkeypatch.setattr(StorageURI, "read", counted)
    ingest_job("--source", other, "--data", data, "--size", 32)
    assert {key.split("-")[0] for key in keys if "1003-" not in key} == {"manifest", "clips", "quarantine"}
    made = existing(StorageURI(str(data)))
    assert (made.version, made.manifest().clips.texts("clip")) == (2, ["1001", "1002", "1003", "5001"])


def test_a_damaged_quarantine_table_stops_an_extension_and_its_cure_works(
    clips: Path, data: Path, ingest_job: Job, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(clips / "1003", other / "1003")
    (other / "split.json").write_text('{"train": ["1003"]}')
    flip(next(data.glob("quarantine-*")))
    with pytest.raises(UserError, match=r"quarantine-.* is damaged: it is not what was written") as refused:
        ingest_job("--source", other, "--data", data, "--size", 32)
    ingest_job(*command_in(str(refused.value)))
    ingest_job("--source", other, "--data", data, "--size", 32)
    assert len(existing(StorageURI(str(data))).manifest().clips) == 4


def test_a_repair_with_other_crops_is_refused(data: Path, source: Path, ingest_job: Job) -> None:
    with pytest.raises(UserError, match="size 32 there, 64 here"):
        ingest_job("--data", data, "--source", source, "--repair", True, "--size", 64)
    with pytest.raises(UserError, match="--verify True works on --data alone: leave --source out"):
        ingest_job("--data", data, "--source", source, "--verify", True)


@pytest.fixture
def two_sources(clips: Path, data: Path, source: Path, ingest_job: Job, tmp_path: Path) -> tuple[Path, Path]:
    """The two sources of the data set, each with a rejected frame; version 2 holds the clips of both."""
    other = tmp_path / "other"
    shutil.copytree(clips / "1003", other / "1003")
    (other / "split.json").write_text('{"train": ["1003"]}')
    for annotations in (source / "1001" / "annot", other / "1003" / "annot"):
        (annotations / "000002.pts").unlink()
    ingest_job("--source", source, "--data", data, "--size", 32, "--replace", True)
    ingest_job("--source", other, "--data", data, "--size", 32)
    return source, other


@pytest.mark.parametrize("damage", [flip, Path.unlink])
@pytest.mark.parametrize("first", [0, 1])
def test_a_broken_quarantine_table_is_repaired_from_one_of_two_sources(
    damage: Callable[[Path], None], first: int, data: Path, two_sources: tuple[Path, Path], ingest_job: Job
) -> None:
    """The rejected frames of the other source's clips are in the records of these."""
    whole = bytes_of(data)
    damage(data / existing(StorageURI(str(data))).manifest().quarantine.file)
    with pytest.raises(UserError, match="1 of its files, of 0 of 4 clips") as found:
        ingest_job("--data", data, "--verify", True)
    ingest_job(*commands_in(str(found.value))[first])
    assert bytes_of(data) == whole


def test_a_quarantine_table_and_a_record_are_repaired_by_both_commands(
    data: Path, two_sources: tuple[Path, Path], ingest_job: Job
) -> None:
    whole = bytes_of(data)
    flip(data / existing(StorageURI(str(data))).manifest().quarantine.file)
    next((data / "clips").glob("1003-*.json")).unlink()
    with pytest.raises(UserError, match="1 of its files") as found:
        ingest_job("--data", data, "--verify", True)
    one, other = commands_in(str(found.value))
    with pytest.raises(UserError, match=r"quarantine-.* is damaged"):
        ingest_job(*one)
    ingest_job(*other)
    assert bytes_of(data) == whole


@pytest.mark.s3
@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flipped", "cut", "deleted"])
def test_a_data_set_in_a_bucket_is_verified_and_repaired(
    damage: str, moto: str, source: Path, ingest_job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    data = StorageURI(f"s3://faces/{damage}")
    ingest_job("--source", source, "--data", data, "--size", 32)
    clip = existing(data).manifest().clips[0]
    content = data.read(clip.file)
    if damage == "deleted":
        data.remove(clip.file)
    else:
        data.write(clip.file, content[:-1] + bytes([content[-1] ^ 1]) if damage == "flipped" else content[:-9])
    with pytest.raises(UserError, match=f"clip 1001: {data}/{clip.file}") as refused:
        existing(data).open()
    capsys.readouterr()
    with pytest.raises(UserError, match="1 of its files, of 1 of 3 clips"):
        ingest_job("--data", data, "--verify", True)
    assert f"bad      clip 1001: {clip.file}: it" in capsys.readouterr().out
    ingest_job(*command_in(str(refused.value)))
    assert data.read(clip.file) == content
    assert len(existing(data).open().frame) == 18

"""One version of a data set on storage."""

import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cluster.datasets.dataset import existing
from cluster.storage.uri import StorageURI
from facegan.config import Config
from facegan.data.reading.sampling import batches
from facegan.errors import UserError
from tests.cluster.storage.proxy import Fault, proxy_to


def test_a_data_set_that_has_moved_is_named_and_its_cure_works(data_folder: Path, tmp_path: Path) -> None:
    planned = existing(StorageURI(str(data_folder)))
    here, away = tmp_path / "data", tmp_path / "away"
    away.symlink_to(data_folder)
    moved = type(planned)(str(here), planned.version, planned.sha256)
    with pytest.raises(UserError, match=r"^data set '.*/data': manifest-.* is missing; put the data set back"):
        moved.manifest()
    away.rename(here)
    assert moved.manifest() == planned.manifest()


@pytest.mark.parametrize("then", ["kept", "deleted"])
def test_a_study_reads_its_data_after_the_manifest_was_repaired(
    then: str, data: Path, source: Path, ingest_job: Callable[..., None]
) -> None:
    """The repair is version 2 of the same content; the study was planned on version 1, of which this machine has no copy."""
    planned = existing(StorageURI(str(data)))
    damaged = data / "manifest-000001.json"
    damaged.write_text("{")
    with pytest.raises(UserError, match="make a new version with"):
        planned.open()
    ingest_job("--data", data, "--source", source, "--repair", True, "--size", 32)
    if then == "deleted":
        damaged.unlink()
    assert len(planned.open().frame) == 18
    assert len(planned.quarantine()) == 0


@pytest.mark.parametrize("damaged", ["manifest-000002.json", "clips-*.parquet"])
def test_a_repair_of_a_manifest_says_which_clips_of_other_sources_are_not_in_it(
    damaged: str,
    data: Path,
    source: Path,
    clips: Path,
    ingest_job: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A manifest that cannot be read does not say what else it held; a clip table is named by one that knows its sources."""
    first, other = set(data.glob("clips-*")), tmp_path / "other"
    shutil.copytree(clips / "1003", other / "1003")
    (other / "split.json").write_text('{"train": ["1003"]}')
    ingest_job("--source", other, "--data", data, "--size", 32)
    (path,) = set(data.glob(damaged)) - first
    path.write_bytes(b"{")
    with pytest.raises(UserError, match="make a new version with") as refused:
        existing(StorageURI(str(data)))
    sources = [source, other] if damaged.startswith("clips") else ["CLIPS"]
    commands = (f"jobs/ingest.py --data {data} --source {shlex.quote(str(one))} --repair True" for one in sources)
    assert f"{', and with '.join(commands)}, and the other flags" in str(refused.value)
    capsys.readouterr()
    ingest_job("--source", other, "--data", data, "--size", 32, "--repair", True)
    said = (
        "version 2 cannot be read; of version 1 this one lacks 1001, 1002, 5001: ingest their sources too, with --repair True\n"
    )
    assert said in capsys.readouterr().out
    ingest_job("--source", source, "--data", data, "--size", 32, "--repair", True)
    assert "lacks" not in capsys.readouterr().out
    assert existing(StorageURI(str(data))).manifest().clips.texts("clip") == ["1001", "1002", "1003", "5001"]


@pytest.mark.s3
@pytest.mark.slow
def test_a_bucket_is_trained_from_clip_by_clip_where_it_does_not_fit(
    moto: str,
    source: Path,
    ingest_job: Callable[..., None],
    tiny: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bucket = StorageURI("s3://faces/part")
    ingest_job("--source", source, "--data", bucket, "--size", 32)
    whole = existing(bucket).open()
    for limit, said in (
        ("0.00003", "fetching clips when they are needed, since FACEGAN_CACHE_GB is too small: 3 clips, 0 MB"),
        ("1", ""),
    ):
        monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / limit))
        monkeypatch.setenv("FACEGAN_CACHE_GB", limit)
        capsys.readouterr()
        part = existing(bucket).open()
        assert said in capsys.readouterr().out and bool(part.frames.ahead) == bool(said)
        feeds = [batches(data, tiny, 0, 0, 1, pin=False) for data in (whole, part)]
        for _ in range(5):
            a, b = (next(feed) for feed in feeds)
            assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in a.__slots__)
    clips = tmp_path / "0.00003" / "clips"
    assert not [path for path in (clips / "downloads").iterdir() if path.suffix == ".parquet"], "downloads are not kept"
    assert list(clips.glob("*.arrow")) and not (tmp_path / "0.00003" / "data").exists()
    for clip in part.manifest.clips:
        bucket.write(clip.file, b"x")
    shutil.rmtree(clips)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "0.00003"))
    monkeypatch.setenv("FACEGAN_CACHE_GB", "0.00003")
    with pytest.raises(
        UserError, match=r"clip 1001: s3://faces/part/clips/1001-.* has 1 bytes, \d+ were ingested; repair it with"
    ):
        existing(bucket).open().image(0)


@pytest.mark.s3
@pytest.mark.parametrize("limit", ["", "0.00003"], ids=["all of it fits", "a part of it fits"])
def test_a_server_that_does_not_answer_is_waited_for(
    moto: str,
    data_folder: Path,
    limit: str,
    tmp_path: Path,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While a trial opens its data, and while it fetches clips later."""
    bucket = StorageURI(f"s3://faces/waited-{limit}")
    for path in (path for path in data_folder.rglob("*") if path.is_file()):
        bucket.write(path.relative_to(data_folder).as_posix(), path.read_bytes())
    planned = existing(bucket)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEGAN_CACHE_GB", limit)
    with proxy_to(moto) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        # It answers again after the first pause.
        clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: setattr(proxy, "always", Fault()))
        monkeypatch.setattr("cluster.storage.patience.time", clock)
        proxy.always = Fault(status=503)
        data = planned.open()
        assert "storage  waiting for it" in capsys.readouterr().out
        proxy.always = Fault(status=503)
        assert data.image(0).shape == (32, 32, 3)
        assert ("storage  waiting for it" in capsys.readouterr().out) == bool(limit)

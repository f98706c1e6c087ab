"""Ingest on Ray: repeated, extended, by two jobs at once, and killed at any time, always with the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cluster.datasets.dataset import DataSet, newest
from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.ingest_task import finished
from cluster.storage.uri import StorageURI
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from tests.cluster.datasets.ingest_alone import ingest_alone
from tests.cluster.storage.s3_environment import s3_environment

ROOT = Path(__file__).parents[3]
HOW = IngestConfig(size=32)

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("local_ray")]


def make(source: Path | StorageURI, data: Path | StorageURI, **fields: object) -> DataSet:
    """Ingest with a configuration of 32 pixels, or with other fields of the request."""
    request = IngestRequest(**{"config": HOW} | fields)  # type: ignore[arg-type]
    places = [where if isinstance(where, StorageURI) else StorageURI(str(where)) for where in (source, data)]
    return ingest(places[0], places[1], request)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of each file by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(clips: Path, local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    made = make(clips, folder)
    assert made.version == 1
    return folder


def test_a_second_run_does_nothing(clips: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")}
    assert make(clips, undisturbed).version == 1
    assert "are there already (version 1)" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")} == before


def test_only_missing_clips_are_ingested_again(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The files of the other clips keep their modification times."""
    data = shutil.copytree(undisturbed, tmp_path / "data")
    (data / "manifest-000001.json").unlink()
    lost = sorted((data / "clips").glob("1002-*.parquet"))[0]
    lost.unlink()
    others = {p: p.stat().st_mtime_ns for p in (data / "clips").iterdir() if not p.name.startswith("1002-")}
    make(clips, data)
    assert bytes_of(data) == bytes_of(undisturbed)
    assert {p: p.stat().st_mtime_ns for p in others} == others


def test_clips_added_later_make_a_new_version(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    part, data = tmp_path / "part", tmp_path / "data"
    shutil.copytree(clips, part)
    shutil.rmtree(part / "1005")
    assert make(part, data).version == 1
    first = bytes_of(data)
    old = newest(StorageURI(str(data)))
    made = make(clips, data)
    assert made.version == 2
    now = bytes_of(data)
    assert first.items() <= now.items()
    whole = newest(StorageURI(str(undisturbed)))
    assert whole is not None
    # The same data as if ingested at once; the place of the source is not part of the hash.
    assert made.sha256 == whole.sha256
    # A study that was planned on version 1 still reads version 1.
    assert old is not None
    assert len(old.open().frame) < len(made.open().frame)


def test_another_configuration_is_refused_unless_asked_for(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    data = shutil.copytree(undisturbed, tmp_path / "data")
    other = IngestConfig(size=32, encoding="png", crop_smoothing=2.0)
    with pytest.raises(UserError, match=r"encoding jpeg there, png here"):
        make(clips, data, config=other)
    assert bytes_of(data) == bytes_of(undisturbed)
    made = make(clips, data, config=other, replace=True)
    assert made.version == 2
    assert made.manifest().ingest.encoding == "png"
    assert bytes_of(undisturbed).items() <= bytes_of(data).items()


def test_a_clip_that_changed_is_refused_unless_asked_for(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    data, source = shutil.copytree(undisturbed, tmp_path / "data"), shutil.copytree(clips, tmp_path / "source")
    (source / "1001" / "annot" / "000001.pts").unlink()
    with pytest.raises(UserError, match="clip 1001 has changed since it was ingested"):
        make(source, data)
    made = make(source, data, replace=True)
    assert (made.version, made.manifest().quarantined) == (2, 1)


def test_too_many_bad_frames_fail_the_job(clips: Path, tmp_path: Path) -> None:
    source = shutil.copytree(clips, tmp_path / "source")
    for number in (1, 2, 3):
        (source / "1001" / "annot" / f"{number:06d}.pts").write_text("")
    with pytest.raises(UserError, match=r"3 of 42 frames are bad.*1001/annot/000001.pts, frame 1: annotation is not"):
        make(source, tmp_path / "data", max_quarantined=0.05)
    assert newest(StorageURI(str(tmp_path / "data"))) is None
    made = make(source, tmp_path / "data", max_quarantined=0.1)
    manifest = made.manifest()
    assert manifest.frames_read == 42 == manifest.rows + manifest.quarantined
    table = pq.read_table(tmp_path / "data" / manifest.quarantine.file).to_pylist()
    assert [(row["clip"], row["frame"]) for row in table] == [("1001", 1), ("1001", 2), ("1001", 3)]


def test_a_damaged_record_counts_as_missing_but_unreachable_storage_is_an_error(tmp_path: Path, pauses: list[float]) -> None:
    """If the storage cannot be reached, nobody knows whether the clip is done."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "y.json").write_text("{")
    data = StorageURI(str(tmp_path))
    assert finished(data, "y") is None
    assert finished(data, "z") is None
    with s3_environment("http://127.0.0.1:1"), pytest.raises(UserError, match="cannot be reached"):
        finished(StorageURI("s3://faces/set"), "x")


JOB = """
import sys
from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.storage.uri import StorageURI
from facegan.data.ingest.ingest_config import IngestConfig
ingest(StorageURI(sys.argv[1]), StorageURI(sys.argv[2]), IngestRequest(config=IngestConfig(size=32)))
"""


def test_two_writers_at_once_make_one_data_set(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    halves = [tmp_path / "a", tmp_path / "b"]
    for half, keep in zip(halves, ("123", "45"), strict=True):
        shutil.copytree(clips, half)
        for clip in half.glob("1*"):
            if clip.name[-1] not in keep:
                shutil.rmtree(clip)
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", JOB]
    runs = [subprocess.Popen([*command, str(half), str(tmp_path / "data")], env=environment) for half in halves]
    assert [run.wait(200) for run in runs] == [0, 0]
    both, whole = newest(StorageURI(str(tmp_path / "data"))), newest(StorageURI(str(undisturbed)))
    assert both is not None
    assert whole is not None
    assert (both.version, both.sha256) == (2, whole.sha256)


def test_an_ingest_killed_twenty_times_ends_with_the_same_bytes(
    clips: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 at random moments: finished files stay, no unfinished file appears, and the result is as if never killed."""
    data, started = tmp_path / "data", tmp_path / "started"
    # Processes are forked from one that has imported everything, which takes ten times as long as the ingest.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    processes = get_context("forkserver")
    processes.set_forkserver_preload([ingest_alone.__module__])

    def begun(folder: Path) -> ForkServerProcess:
        run = processes.Process(target=ingest_alone, args=(clips, folder, started))
        run.start()
        while not started.exists():
            assert run.is_alive(), "the process ended before the ingest began"
            time.sleep(0.002)
        started.unlink()
        return run

    run, at = begun(tmp_path / "whole"), time.monotonic()
    # The work alone: a process takes longer to end than to ingest a few small clips, and kills would come after it.
    while not (tmp_path / "whole" / "manifest-000001.json").exists() and run.is_alive():
        time.sleep(0.002)
    whole = time.monotonic() - at
    run.join()
    assert run.exitcode == 0
    rng, killed, done = random.Random(0), 0, []
    while killed < 20:
        run = begun(data)
        # First to a random number of finished clips, since how long they take depends on what else the machine does.
        stage = rng.randint(0, 6)
        while len(list(data.glob("clips/*.json"))) < stage and run.is_alive():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, whole / 3))
        run.kill()
        run.join()
        killed += run.exitcode == -signal.SIGKILL
        done.append(len(list(data.glob("clips/*.json"))))
        assert {n: b for n, b in bytes_of(data).items() if not n.startswith(".partial/")}.items() <= bytes_of(
            undisturbed
        ).items()
        if done[-1] > 5:
            # Further on than most kills are to reach: all but two clips are lost again.
            (data / "manifest-000001.json").unlink(missing_ok=True)
            for record in sorted(data.glob("clips/*.json"))[2:]:
                record.unlink()
    assert len(set(done)) > 2, f"all kills came at the same stage: {done}"
    make(clips, data)
    assert bytes_of(data) == bytes_of(undisturbed)


def test_a_killed_job_resumes_when_it_is_run_again(clips: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The job on the command line; its driver is killed once the first clip is done."""
    data = tmp_path / "data"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "jobs" / "ingest.py"), "--source", str(clips), "--data", str(data), "--size", "32"]
    run = subprocess.Popen(command, env=environment)
    while not list(data.glob("clips/*.json")):
        assert run.poll() is None
        time.sleep(0.005)
    run.kill()
    run.wait()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert again.returncode == 0, again.stderr
    assert "42 read = 42 written + 0 quarantined" in again.stdout or "are there already" in again.stdout
    assert bytes_of(data) == bytes_of(undisturbed)

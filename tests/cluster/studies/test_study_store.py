"""Uploads of a trial of a remote study: a trial killed between any two of them continues on another node."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cluster.storage.s3_client import time_of
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.trial_store import TrialStore
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder
from facegan.trial import TrialRun, run_trial
from tests.cluster.storage.proxy import Fault, proxy_to
from tests.known import known

pytestmark = pytest.mark.s3


def write_and_publish(store: StudyStore, images: int) -> None:
    """Write rows, a checkpoint and a state in the order in which a trial writes them, and publish them."""
    with store.trial("key") as trial:
        trial.fetch_checkpoint()
        trial.folder.path.mkdir(parents=True, exist_ok=True)
        trial.folder.append_row(MetricsRow(images, 1.0, 0.0, {}))
        trial.folder.checkpoint.mkdir(exist_ok=True)
        (trial.folder.checkpoint / "state.json").write_text(str(images))
        trial.folder.write_state("RUNNING", images=images, seconds=1.0, passes={})
        trial.publish(now=True)


def found_by_another_node(store: StudyStore) -> tuple[list[int], int, int]:
    """Images according to the rows, the checkpoint and the state."""
    with store.trial("key") as trial:
        trial.fetch_checkpoint()
        state = trial.folder.checkpoint / "state.json"
        kept = int(state.read_text()) if state.exists() else 0
        return [row.images for row in trial.folder.rows()], kept, trial.folder.state().images


def test_another_node_finds_everything_published(moto: str) -> None:
    store = StudyStore(StorageURI("s3://faces/studies/whole"))
    write_and_publish(store, 8)
    write_and_publish(store, 16)
    assert found_by_another_node(store) == ([8, 16], 16, 16)


@pytest.mark.parametrize("survives", range(3))
def test_uploads_are_consistent_after_a_kill_between_any_two(moto: str, survives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are never older than the checkpoint, and the checkpoint is never older than the state."""
    store = StudyStore(StorageURI(f"s3://faces/studies/killed-{survives}"))
    write_and_publish(store, 8)
    written = 0

    def counted(real: Callable[..., str]) -> Callable[..., str]:
        def send(*arguments: Any, **named: Any) -> str:
            nonlocal written
            written += 1
            if written > survives:
                raise ConnectionAbortedError("killed")
            return real(*arguments, **named)

        return send

    with monkeypatch.context() as patch:
        patch.setattr(StorageURI, "replace", counted(StorageURI.replace))
        with pytest.raises(ConnectionAbortedError):
            write_and_publish(store, 16)
    rows, kept, announced = found_by_another_node(store)
    assert max(rows) >= kept >= announced, "a resumed run lacks what led to its checkpoint"
    assert (rows, kept, announced) == [([8], 8, 8), ([8, 16], 8, 8), ([8, 16], 16, 8)][survives]


def test_a_node_that_returns_after_another_took_over_cannot_overwrite(moto: str) -> None:
    """The first node loses its connection, another node completes the trial, then the first one uploads again."""
    store = StudyStore(StorageURI("s3://faces/studies/cut"))
    write_and_publish(store, 8)
    with store.trial("key") as lost:
        lost.fetch_checkpoint()
        lost.folder.append_row(MetricsRow(16, 1.0, 0.0, {}))
        (lost.folder.checkpoint / "state.json").write_text("16")
        lost.folder.write_state("RUNNING", images=16, seconds=1.0, passes={})
        write_and_publish(store, 16)
        write_and_publish(store, 24)
        with pytest.raises(UserError, match="written by another run of this trial"):
            lost.publish(now=True)
        for late in (lost.folder.path / "metrics.jsonl", lost.folder.path / "state.json"):
            with pytest.raises(UserError, match="another run"):
                lost._replace(late)
        with pytest.raises(UserError, match="another run"):
            lost._publish_checkpoint()
    assert found_by_another_node(store) == ([8, 16, 24], 24, 24)


def test_a_prefix_with_other_objects_is_refused(moto: str) -> None:
    StorageURI("s3://faces/other").write("x", b"")
    with pytest.raises(UserError, match="other objects under it"):
        StudyStore(StorageURI("s3://faces/other")).check()


def test_a_damaged_checkpoint_is_named_and_its_cure_works(moto: str) -> None:
    location = StorageURI("s3://faces/studies/damaged")
    write_and_publish(StudyStore(location), 8)
    location.write("trials/key/checkpoint.tar", b"half")
    with pytest.raises(UserError, match=r"damaged/trials/key/checkpoint\.tar is damaged .* remove it") as refused:
        found_by_another_node(StudyStore(location))
    assert len(str(refused.value).splitlines()) == 1
    location.remove("trials/key/checkpoint.tar")
    assert found_by_another_node(StudyStore(location)) == ([8], 0, 8)


def test_a_damaged_record_of_downloads_is_named_and_its_cure_works(
    moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    store = StudyStore(StorageURI("s3://faces/studies/tags"))
    write_and_publish(store, 8)
    store.pull()
    tags = store.folder.with_name(f"{store.folder.name}.tags.json")
    tags.write_text("{")
    with pytest.raises(UserError, match=r"tags\.json is damaged: .*remove it"):
        store.pull()
    tags.unlink()
    store.pull()
    assert tags.exists()


@pytest.mark.parametrize("hours", [1, -1])
def test_the_age_of_a_pulled_file_is_by_the_clock_of_the_server(
    moto: str, tmp_path: Path, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the clock of the node that wrote it nor by this machine's."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    store = StudyStore(StorageURI(f"s3://faces/studies/age{hours}"))
    write_and_publish(store, 8)
    monkeypatch.setattr("cluster.storage.s3.time_of", lambda answer: known(time_of(answer)) + 600)  # ten minutes later
    now = time.time() + 3600 * hours
    monkeypatch.setattr("cluster.studies.study_store.time", SimpleNamespace(time=lambda: now))
    store.pull()
    rows = store.folder / "trials" / "key" / "metrics.jsonl"
    assert 598 < now - rows.stat().st_mtime < 660
    now += 3600 * hours  # a second look, after another jump, downloads nothing
    store.pull()
    assert 598 < now - rows.stat().st_mtime < 660


HOLDER = """
import sys, time
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.trial_store import TrialStore
with StudyStore(StorageURI(sys.argv[1])).only_driver():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_job_on_a_study_is_told_who_holds_it(tmp_path: Path) -> None:
    store = StudyStore(StorageURI(str(tmp_path / "study")))
    assert store.job_since() is None and store.has_job() is False
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "study")], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    told = rf"another job works on it \(process {holder.pid} on \S+ since 2\S+ \S+\); wait"
    with pytest.raises(UserError, match=told), store.only_driver():
        raise AssertionError("two jobs at once")
    since = store.job_since()
    assert since is not None and since == (store.folder / ".driver").stat().st_mtime and store.has_job()
    assert StudyStore(StorageURI("s3://faces/study")).has_job() is None, "it may run on any machine"
    holder.kill()
    holder.communicate()
    assert store.job_since() is None and (store.folder / ".driver").exists()
    store.check()  # what a killed job leaves is no other content
    with store.only_driver():
        assert str(os.getpid()) in (store.folder / ".driver").read_text()
    assert not (store.folder / ".driver").exists()


def test_a_new_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    store = StudyStore(StorageURI(str(tmp_path)))
    with store.trial("key") as trial:
        left = [trial.folder.path / "checkpoint.1.partial", tmp_path / "summary.json.1.partial"]
        for path in left:
            path.mkdir(parents=True)
        with store.only_driver():
            trial.claim()
            assert [path for path in left if path.exists()] == []


def test_a_run_that_outlived_its_driver_ends_once_another_one_has_the_trial(
    tiny: Config, data: FaceData, tmp_path: Path
) -> None:
    """The late run stops at its next row, and leaves nothing in the rows of the other one."""
    store, config = StudyStore(StorageURI(str(tmp_path / "study"))), tiny.override({"images": 64, "report_every": 8})
    with store.trial("key") as late, store.trial("key") as other, store.trial("whole") as alone:

        def take_over(metrics: dict[str, float]) -> None:
            if metrics["images"] == 32:
                run_trial(TrialRun(config, other), data, torch.device("cpu"), lambda _: None)

        with pytest.raises(UserError, match="written by another run of this trial: this run ends"):
            run_trial(TrialRun(config, late), data, torch.device("cpu"), take_over)
        run_trial(TrialRun(config, alone), data, torch.device("cpu"), lambda _: None)
        assert other.folder.state().state == "COMPLETED"
        assert [row.images for row in other.folder.rows()] == list(range(8, 65, 8))
        assert other.folder.scores() == alone.folder.scores()


def test_after_a_notice_each_report_is_saved_and_the_rows_are_the_same(
    tiny: Config, data: FaceData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS gives two minutes before it takes a spot node back."""
    store, config = StudyStore(StorageURI(str(tmp_path / "study"))), tiny.override({"images": 48, "report_every": 8})
    monkeypatch.setenv("FACEGAN_NOTICE", str(tmp_path / "notice"))
    with store.trial("key") as trial, store.trial("whole") as whole:
        run_trial(TrialRun(config, whole), data, torch.device("cpu"), lambda _: None)

        class Taken(Exception):
            """The node is gone."""

        real = TrialFolder.append_row

        def append(self: TrialFolder, row: MetricsRow) -> None:
            if row.images == 32:
                raise Taken
            real(self, row)

        def notice(metrics: dict[str, float]) -> None:
            if metrics["images"] == 16:
                (tmp_path / "notice").touch()

        monkeypatch.setattr(TrialFolder, "append_row", append)
        with pytest.raises(Taken):
            run_trial(TrialRun(config, trial), data, torch.device("cpu"), notice)
        monkeypatch.setattr(TrialFolder, "append_row", real)
        assert '"images": 24' in (trial.folder.checkpoint / "state.json").read_text()
        (tmp_path / "notice").unlink()
        run_trial(TrialRun(config, trial), data, torch.device("cpu"), lambda _: None)

        def rows(of: TrialStore) -> list[dict[str, float]]:
            return [{k: v for k, v in row.metrics.items() if k != "images_per_second"} for row in of.folder.rows()]

        assert rows(trial) == rows(whole) and trial.folder.scores() == whole.folder.scores()


@pytest.mark.parametrize(
    "fault", [Fault(status=503), Fault(status=403, code="RequestTimeTooSkewed")], ids=["busy", "clock is off"]
)
def test_a_server_that_does_not_answer_for_a_while_is_no_failure_of_a_trial(
    fault: Fault, moto: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cluster.studies.trial_store._PUBLISH_EVERY_SECONDS", -1.0)
    with proxy_to(moto) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        store = StudyStore(StorageURI(f"s3://faces/outage-{fault.status}"))
        write_and_publish(store, 8)
        with store.trial("key") as trial:
            trial.fetch_checkpoint()
            trial.folder.append_row(MetricsRow(16, 1.0, 0.0, {}))
            trial.folder.write_state("RUNNING", images=16, seconds=1.0, passes={})
            proxy.always = fault
            trial.publish(now=False)
            with monkeypatch.context() as direct:
                direct.setenv("AWS_ENDPOINT_URL", moto)
                assert found_by_another_node(store) == ([8], 8, 8)

            # The server answers again after the first pause.
            clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: setattr(proxy, "always", Fault()))
            monkeypatch.setattr("cluster.storage.patience.time", clock)
            trial.folder.append_row(MetricsRow(24, 1.0, 0.0, {}))
            trial.publish(now=True)
        monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
        assert found_by_another_node(store) == ([8, 16, 24], 8, 16)

        # Down again while the trial starts on another node.
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.always = fault
        assert found_by_another_node(store) == ([8, 16, 24], 8, 16)
        proxy.always = fault
        with store.trial("other") as trial:
            proxy.always = fault
            assert (trial.checkpoint_of("key") / "state.json").read_text() == "8"
    said = capsys.readouterr().out
    assert said.count("storage  waiting for it: ") == said.count("storage  answers again") == 4

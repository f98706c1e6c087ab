"""Ray's folder has no room, or too long a path: a job says so in a line. `make faults` fills a disk."""

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from cluster.runtime.ray_folder import check_ray_folder, explain_full_folder, explain_start
from facegan.errors import UserError

Usage = namedtuple("Usage", "free")


def with_free(monkeypatch: pytest.MonkeyPatch, folder: Path, megabytes: float) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(megabytes * 1e6))
    node = SimpleNamespace(get_session_dir_path=lambda: str(folder / "ray" / "session"))
    monkeypatch.setattr("ray._private.worker._global_node", node)


def test_a_folder_with_little_room_is_refused_before_ray_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray would wait for 40 seconds, and tell of an overloaded server."""
    with_free(monkeypatch, tmp_path, 12.34)
    with pytest.raises(UserError) as refused:
        check_ray_folder()
    assert str(refused.value) == (
        f"Ray's folder {tmp_path}/ray: its disk has 12.3 MB free, 20 are needed; make room, or name a folder of another disk, "
        "with a short path, in RAY_TMPDIR"
    )
    with_free(monkeypatch, tmp_path, 21)
    check_ray_folder()


def test_room_is_made_by_removing_the_sessions_of_killed_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed, other = (tmp_path / "ray" / name for name in ("session_killed", "session_other"))
    for session in (killed, other):
        session.mkdir(parents=True)
    (killed / "facegan.lock").touch()
    with_free(monkeypatch, tmp_path, 100)
    check_ray_folder()
    assert not killed.exists() and other.exists()


def test_what_ray_says_at_its_start_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed_out = Exception("The current node timed out during startup.")
    with_free(monkeypatch, tmp_path, 0)
    with pytest.raises(UserError, match=r"ray: its disk is full; make room, or name a folder"), explain_start():
        raise timed_out
    with_free(monkeypatch, tmp_path, 100)
    with pytest.raises(UserError, match=r"not start in time, as on a machine that is too busy; .*/logs\)$"), explain_start():
        raise timed_out
    with pytest.raises(Exception, match=r"^something else$"), explain_start():
        raise Exception("something else")
    too_long = OSError("validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: /x")
    with pytest.raises(UserError, match=r"too long for sockets; .* short path, in RAY_TMPDIR"), explain_start():
        raise too_long


@pytest.mark.ray
def test_what_tune_raises_on_a_full_disk_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.tune.error import TuneError

    full = OSError(errno.ENOSPC, "No space left on device")
    errors = (full, TuneError(f"Traceback\nOSError: {full}\n"))
    with_free(monkeypatch, tmp_path, 0.5)
    for error in errors:
        with (
            pytest.raises(UserError, match=rf"^Ray's folder {tmp_path}/ray: its disk is full; make room"),
            explain_full_folder(),
        ):
            raise error
    with_free(monkeypatch, tmp_path, 100)  # another disk is full
    for error in errors:
        with pytest.raises(OSError, match="No space left") as raised, explain_full_folder():
            raise error
        assert raised.value.errno == errno.ENOSPC
    for error in (TuneError("something else"), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(type(error)) as same, explain_full_folder():
            raise error
        assert same.value is error

"""Folders only: links, unfinished files of killed processes, and errors of the disk."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.storage.leftovers import sweep_partials
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from tests.cluster.storage.contract import run_python

ROOT = Path(__file__).parents[3]
KILLED = """
import os, sys
from cluster.storage.uri import StorageURI
import cluster.storage.folder
cluster.storage.folder.flush = lambda sink: os.kill(os.getpid(), 9)
StorageURI(sys.argv[1]).write("x", b"never seen")
"""


def test_a_link_whose_answer_was_lost_counts(folder: StorageURI, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS: the link is created, the answer is lost, and the second attempt finds that the target exists."""

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    link: Callable[[Path, Path], None] = os.link
    monkeypatch.setattr("cluster.storage.folder.os.link", twice)
    folder.write("x", b"mine", only_if_absent=True)
    assert folder.read("x") == b"mine"


def test_only_files_of_ended_processes_of_this_host_are_swept(folder: StorageURI) -> None:
    killed = run_python(KILLED, str(folder / "deep/er"))
    killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (folder / "deep/er").folder.glob(".partial/*")
    assert folder.entries() == [] and not (folder / "deep/er").exists("x")
    kept = [f"elsewhere+{killed.pid}+1", f"{socket.gethostname()}+{os.getpid()}+1", f"{socket.gethostname()}+1+1", "x.parquet"]
    for name in kept:
        (left.parent / name).write_bytes(b"")
    outside = folder.folder / f"{socket.gethostname()}+{killed.pid}+1"
    outside.write_bytes(b"an object with such a name")
    sweep_partials(folder)
    assert sorted(path.name for path in left.parent.iterdir()) == sorted(kept) and outside.exists()
    sweep_partials(StorageURI(str(folder.folder / "nothing")))


def test_links_are_followed_and_loops_end(folder: StorageURI, tmp_path: Path) -> None:
    (tmp_path / "disk" / "clip").mkdir(parents=True)
    (tmp_path / "disk" / "clip" / "1.jpg").write_bytes(b"1")
    folder.folder.mkdir()
    for name in ("a", "b"):
        (folder.folder / name).symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "clip" / "up").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "clip" / "self").symlink_to("self")
    (tmp_path / "disk" / "clip" / "broken").symlink_to("nothing")
    (folder.folder / "home").symlink_to(folder.folder)
    (folder.folder / "c").mkdir()
    (folder.folder / "c" / "again").symlink_to(tmp_path / "disk" / "clip")
    assert [entry.key for entry in folder.entries()] == ["a/clip/1.jpg", "b/clip/1.jpg", "c/again/1.jpg"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run the block as the user nobody if the tests run as root, who may access everything."""
    if os.getuid():
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder without permissions, in a folder that all users may enter."""
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    (home / "locked" / "in").mkdir(parents=True)
    (home / "locked" / "x").write_bytes(b"x")
    (home / "locked").chmod(0)
    yield home / "locked"
    (home / "locked").chmod(0o755)
    shutil.rmtree(home)


def test_missing_permissions_are_user_errors(locked: Path, local_folder: Path) -> None:
    uses: list[Callable[[], Any]] = [
        StorageURI(str(locked)).check,
        StorageURI(str(locked / "in")).check,
        lambda: StorageURI(str(locked)).entries(),
        lambda: StorageURI(str(locked.parent)).entries(),
        lambda: StorageURI(str(locked)).exists("x"),
        lambda: StorageURI(str(locked)).read("x"),
        lambda: StorageURI(str(locked)).write("y", b""),
        lambda: StorageURI(str(locked)).download("x", locked.parent / "copy", size=1, sha256=""),
    ]
    for use in uses:
        with as_nobody(), pytest.raises(UserError, match=rf"^{locked.parent}.*(ermission|is not readable)") as refused:
            use()
        assert "\n" not in str(refused.value)


def test_errors_of_the_disk_are_user_errors(folder: StorageURI, local_folder: Path) -> None:
    (local_folder / "file").write_bytes(b"")
    folder.write("a/b", b"")
    long = "n" * 300
    uses: list[Callable[[], Any]] = [
        StorageURI(str(local_folder / "file")).check,
        StorageURI(str(local_folder / "file" / "below")).check,
        lambda: StorageURI(str(local_folder / "file")).write("x", b""),
        lambda: StorageURI(str(local_folder / "file")).entries(),
        lambda: folder.write("a/b/c", b""),
        lambda: folder.write("a", b""),
        lambda: folder.write("a", b"", only_if_absent=True),
        lambda: folder.write(long, b""),
        lambda: folder.exists(long),
        lambda: folder.read(long),
        lambda: folder.download("a/b", local_folder / "file" / "copy", size=1, sha256=""),
    ]
    for use in uses:
        with pytest.raises(UserError) as refused:
            use()
        assert "\n" not in str(refused.value) and str(local_folder.parent) in str(refused.value)
    assert [entry.key for entry in folder.entries()] == ["a/b"]

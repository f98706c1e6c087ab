"""StorageURI: the contract on a folder, accepted URIs, and concurrent readers, writers and downloads."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.storage.folder import Folder
from cluster.storage.uri import StorageURI, storage_uri
from facegan.errors import UserError
from tests.cluster.storage.contract import CASES, run_python, sha256

ROOT = Path(__file__).parents[3]
CLAIM = """
import sys
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
sys.stdin.readline()
for number in range(20):
    try:
        StorageURI(sys.argv[1]).write(f"claim/{number}", sys.argv[2].encode(), only_if_absent=True)
        print(number)
    except AlreadyThere:
        pass
"""

DOWNLOAD = """
import sys
from pathlib import Path
from cluster.storage.folder import Folder
from cluster.storage.uri import StorageURI
storage, local, size, sha256 = sys.argv[1:]
append = Folder.append

def counted(*arguments):
    print("fetches", flush=True)
    sys.stdin.readline()
    append(*arguments)

Folder.append = counted
StorageURI(storage).download("x", Path(local), size=int(size), sha256=sha256)
print("has", Path(local).stat().st_size)
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], folder: StorageURI, local_folder: Path) -> None:
    case(folder, local_folder)


def test_accepted_uris(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.chdir(tmp_path)
    for uri, meant in {
        "/mnt/faces/": "/mnt/faces",
        "faces": f"{tmp_path}/faces",
        "../faces": f"{tmp_path.parent}/faces",
        "~/faces": "/home/anna/faces",
        "/": "/",
        "file:///mnt/a%20b": "/mnt/a b",
        "FILE://localhost/mnt": "/mnt",
        "a:b": f"{tmp_path}/a:b",
        "s3://faces": "s3://faces",
        "s3://faces/": "s3://faces",
        "S3://faces/300vw/small/": "s3://faces/300vw/small",
    }.items():
        assert str(storage_uri("--data", uri)) == meant
        assert storage_uri("--data", uri).is_remote == meant.startswith("s3://")
    assert StorageURI("s3://faces") / "a/b" == StorageURI("s3://faces/a/b") and StorageURI("/") / "a" == StorageURI("/a")


REFUSED = (
    "://x file://mnt/x file://~/x file:// file:/mnt/x gs://faces/x http://a/b s3:// s3:///x s3://../x s3:/faces/x s3:faces"
)
REFUSED += (
    " s3://faces/../x s3://faces//x s3://faces/a/./b s3://faces/x.partial s3://faces/.partial/x ~nobody-of-that-name/faces"
)


@pytest.mark.parametrize("uri", ["", "  ", "s3://fa ces/x", *REFUSED.split()])
def test_refused_uris(uri: str) -> None:
    with pytest.raises(UserError) as refused:
        storage_uri("--data", uri)
    assert "\n" not in str(refused.value) and uri.strip() in str(refused.value)
    assert "--data" in str(refused.value)


def test_readers_see_complete_objects_only(folder: StorageURI, local_folder: Path) -> None:
    contents = [bytes([n]) * (200_000 + n) for n in range(2)]
    (local_folder / "local").write_bytes(contents[1])
    done = threading.Event()
    folder.write("x", contents[0])

    def write() -> None:
        while not done.is_set():
            folder.upload("x", local_folder / "local", sha256=sha256(contents[1]))
            folder.write("x", contents[0])
            folder.write("y/z", contents[1])

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        try:
            for _ in range(300):
                assert folder.read("x") in contents
                found = {entry.key: entry.size for entry in folder.entries()}
                assert set(found) <= {"x", "y/z"} and found["x"] in (200_000, 200_001)
        finally:
            done.set()
        for writer in writers:
            writer.result()
    assert list(folder.folder.glob(".partial/*")) == []


def test_one_of_many_processes_wins(folder: StorageURI) -> None:
    claimers = [run_python(CLAIM, str(folder), f"process {n}") for n in range(3)]
    for claimer in claimers:
        assert claimer.stdin
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    won = [claimer.communicate(timeout=30)[0].split() for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0, 0, 0]
    assert sorted(int(number) for numbers in won for number in numbers) == list(range(20))
    for n, numbers in enumerate(won):
        assert all(folder.read(f"claim/{number}") == f"process {n}".encode() for number in numbers)
    assert list(folder.folder.glob(".partial/*")) == []


def test_concurrent_downloads_fetch_once(folder: StorageURI, local_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(3 << 20)
    folder.write("x", content)
    fetched = list[str]()
    append = Folder.append

    def counted(store: Folder, key: str, *rest: Any) -> None:
        fetched.append(key)
        append(store, key, *rest)

    monkeypatch.setattr(Folder, "append", counted)
    for number in range(5):
        with ThreadPoolExecutor(4) as pool:
            copy = local_folder / f"{number}"
            downloads = [pool.submit(folder.download, "x", copy, size=len(content), sha256=sha256(content)) for _ in range(4)]
        assert [download.result() for download in downloads] == [None] * 4
        assert copy.read_bytes() == content and len(fetched) == number + 1
    assert not list(local_folder.glob("*.partial"))


@pytest.mark.slow
def test_a_second_process_waits_and_finds_the_finished_copy(folder: StorageURI, local_folder: Path) -> None:
    content = os.urandom(1 << 20)
    folder.write("x", content)
    arguments = (str(folder), str(local_folder / "copy"), str(len(content)), sha256(content))
    first = run_python(DOWNLOAD, *arguments)
    assert first.stdout and first.stdout.readline() == "fetches\n"
    second = run_python(DOWNLOAD, *arguments)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(2)  # it waits for the lock that the first one holds
    assert first.communicate("go\n", timeout=30)[0] == f"has {len(content)}\n"
    assert second.communicate("go\n", timeout=30)[0] == f"has {len(content)}\n", "it fetched nothing itself"
    assert [path.name for path in local_folder.iterdir()] == ["copy"]


def test_a_killed_download_is_resumed_by_the_process_that_waits(folder: StorageURI, local_folder: Path) -> None:
    content = os.urandom(1 << 20)
    folder.write("x", content)
    (local_folder / "copy.partial").write_bytes(content[:1000])
    first = run_python(DOWNLOAD, str(folder), str(local_folder / "copy"), str(len(content)), sha256(content))
    assert first.stdout and first.stdout.readline() == "fetches\n"
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(folder.download, "x", local_folder / "copy", size=len(content), sha256=sha256(content))
        time.sleep(0.5)
        assert not waits.done()
        first.kill()
        first.communicate()
        waits.result()
    assert (local_folder / "copy").read_bytes() == content and [path.name for path in local_folder.iterdir()] == ["copy"]


def test_a_download_that_waited_for_a_failed_one_starts_over(
    folder: StorageURI, local_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first download removes its partial file and the lock file when it fails."""
    folder.write("x", b"content")
    started, go_on, append = threading.Event(), threading.Event(), Folder.append

    def slow(store: Folder, *rest: Any) -> None:
        started.set()
        go_on.wait(20)
        append(store, *rest)

    monkeypatch.setattr(Folder, "append", slow)
    with ThreadPoolExecutor(2) as pool:
        fails = pool.submit(folder.download, "x", local_folder / "copy", size=7, sha256=sha256(b"another"))
        started.wait(20)
        waits = pool.submit(folder.download, "x", local_folder / "copy", size=7, sha256=sha256(b"content"))
        time.sleep(0.2)  # it waits for the lock by now
        go_on.set()
        with pytest.raises(UserError, match="damaged or another version"):
            fails.result()
        waits.result()
    assert (local_folder / "copy").read_bytes() == b"content"

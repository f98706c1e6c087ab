"""The behaviour of every store: one function per case, which gets an empty store and an empty local folder."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.errors import UserError

ROOT = Path(__file__).parents[3]
LARGE = bytes(range(256)) * (9 << 12)
"""9 MiB: uploaded in two parts."""
ODD = "a b+c%20d&e=f#g?h~ü/'i'(1).jpg"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in another process, with pipes to its input and output."""
    command, pipe = [sys.executable, "-c", code, *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=pipe, stdout=pipe, text=True)


def error_of(use: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Return the message of the UserError that a call raises; it must be one line."""
    with pytest.raises(UserError) as refused:
        use(*arguments, **named)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def written_content_is_read_back(storage: StorageURI, local_folder: Path) -> None:
    for key, content in {"a/b/c": b"first", "empty": b"", ODD: b"odd", "a/b/d": bytes(range(256))}.items():
        assert not storage.exists(key)
        storage.write(key, content)
        assert storage.exists(key) and storage.read(key) == content
    storage.write("a/b/c", b"second, which is longer")
    assert storage.read("a/b/c") == b"second, which is longer"
    assert not storage.exists("a/b") and not storage.exists("a")
    assert (storage / "a/b").read("c") == storage.read("a/b/c")


def missing_objects_are_not_found(storage: StorageURI, local_folder: Path) -> None:
    storage.write("a/bc", b"x")
    for key in ("a/b", "a/bc/d", "nothing/at/all"):
        assert not storage.exists(key)
        with pytest.raises(FileNotFoundError):
            storage.read(key)
        with pytest.raises(FileNotFoundError):
            storage.download(key, local_folder / "copy", size=1, sha256=sha256(b"x"))
    assert list(local_folder.iterdir()) == []
    assert storage.entries("a/bc/") == [] and storage.entries("b") == []
    assert (storage / "nothing").entries() == []


def listings_are_complete_and_sorted(storage: StorageURI, local_folder: Path) -> None:
    keys = ["a", "a-b/x", "ab/1", "ab/10", "ab/2", "ab/2.d/deep/er", "b/é", ODD]
    for key in reversed(keys):
        storage.write(key, key.encode())
    (storage / "ab/2.d").write("more", b"")  # a prefix below the prefix
    found = storage.entries()
    assert [entry.key for entry in found] == sorted([*keys, "ab/2.d/more"])
    assert {entry.key: entry.size for entry in found} == {key: len(key.encode()) for key in keys} | {"ab/2.d/more": 0}
    assert [entry.key for entry in storage.entries("ab/1")] == ["ab/1", "ab/10"]
    assert [entry.key for entry in storage.entries("ab/2")] == ["ab/2", "ab/2.d/deep/er", "ab/2.d/more"]
    assert [entry.key for entry in (storage / "ab").entries()] == ["1", "10", "2", "2.d/deep/er", "2.d/more"]
    assert [entry.key for entry in (storage / "ab/2.d").entries("m")] == ["more"]


def invalid_keys_are_refused(storage: StorageURI, local_folder: Path) -> None:
    for key in (
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../../b",
        "a/..",
        "a/.",
        "x.partial",
        ".partial/x",
        "a/x.partial/b",
    ):
        for use in (storage.exists, storage.read, storage.__truediv__, lambda key: storage.write(key, b"")):
            with pytest.raises(UserError, match=r"is not a valid key") as refused:
                use(key)
            assert "\n" not in str(refused.value) and repr(key) in str(refused.value)
    with pytest.raises(UserError, match=r"is not a valid key"):
        storage.entries("../")
    assert storage.entries() == []


def one_of_many_writers_wins(storage: StorageURI, local_folder: Path) -> None:
    for key in ("lock/1", "lock/2", "lock/3"):
        begin = threading.Barrier(6)

        def write(content: bytes, key: str = key, begin: threading.Barrier = begin) -> bytes | None:
            begin.wait(20)
            try:
                storage.write(key, content, only_if_absent=True)
            except AlreadyThere:
                return None
            return content

        with ThreadPoolExecutor(6) as pool:
            won = [content for content in pool.map(write, [f"writer {n}".encode() for n in range(6)]) if content]
        assert len(won) == 1
        assert storage.read(key) == won[0]
    with pytest.raises(AlreadyThere):
        storage.write("lock/1", storage.read("lock/1"), only_if_absent=True)
    assert [entry.key for entry in storage.entries()] == ["lock/1", "lock/2", "lock/3"]


def uploads_are_verified(storage: StorageURI, local_folder: Path) -> None:
    for key, content in {"small": b"small", "big": LARGE, "empty": b""}.items():
        (local_folder / key).write_bytes(content)
        assert "SHA-256" in error_of(storage.upload, key, local_folder / key, sha256=sha256(b"something else"))
        assert storage.entries(key) == []
        storage.upload(key, local_folder / key, sha256=sha256(content))
        assert storage.read(key) == content
        with pytest.raises(UserError, match="SHA-256"):
            storage.upload(key, local_folder / "small", sha256=sha256(b"something else"))
        assert storage.read(key) == content, "the previous content stays"
        storage.download(key, local_folder / "copy", size=len(content), sha256=sha256(content))
        assert (local_folder / "copy").read_bytes() == content
        (entry,) = storage.entries(key)
        assert storage.sha256(entry) == sha256(content)
    assert sorted(path.name for path in local_folder.iterdir()) == ["big", "copy", "empty", "small"]


def an_interrupted_download_is_resumed(storage: StorageURI, local_folder: Path) -> None:
    content = os.urandom(3 << 20)
    storage.write("x", content)
    (local_folder / "copy.partial").write_bytes(content[: 2 << 20])
    storage.download("x", local_folder / "copy", size=len(content), sha256=sha256(content))
    assert (local_folder / "copy").read_bytes() == content
    # A wrong beginning shows that the download resumes and does not start over.
    (local_folder / "second.partial").write_bytes(bytes(2 << 20))
    message = error_of(storage.download, "x", local_folder / "second", size=len(content), sha256=sha256(content))
    assert "damaged or another version" in message
    assert [path.name for path in local_folder.iterdir()] == ["copy"]
    (local_folder / "longer.partial").write_bytes(bytes(4 << 20))
    storage.download("x", local_folder / "longer", size=len(content), sha256=sha256(content))
    assert (local_folder / "longer").read_bytes() == content
    (local_folder / "whole.partial").write_bytes(content)
    storage.download("x", local_folder / "whole", size=len(content), sha256=sha256(content))
    assert (local_folder / "whole").read_bytes() == content


def damaged_downloads_are_refused(storage: StorageURI, local_folder: Path) -> None:
    storage.write("x", b"what was stored")
    for size, hashed in ((15, b"what was promised"), (14, b"what was stored"), (99, b"what was stored")):
        assert "run again" in error_of(storage.download, "x", local_folder / "copy", size=size, sha256=sha256(hashed))
        assert list(local_folder.iterdir()) == []
    (local_folder / "copy").write_bytes(b"what is present")
    storage.download("x", local_folder / "copy", size=15, sha256=sha256(b"what is present"))
    assert (local_folder / "copy").read_bytes() == b"what is present", "a complete copy is not fetched again"
    storage.download("x", local_folder / "copy", size=15, sha256=sha256(b"what was stored"))
    assert (local_folder / "copy").read_bytes() == b"what was stored", "a damaged copy is fetched again"


def copies_are_refreshed_when_the_tag_changes(storage: StorageURI, local_folder: Path) -> None:
    storage.write("x", b"first")
    (entry,) = storage.entries()
    storage.copy(entry, local_folder / "below" / "copy")
    assert (local_folder / "below" / "copy").read_bytes() == b"first"
    (local_folder / "below" / "copy").write_bytes(b"kept!")
    storage.copy(entry, local_folder / "below" / "copy")
    assert (local_folder / "below" / "copy").read_bytes() == b"kept!", "the same tag is not fetched again"
    storage.write("x", b"other")
    with pytest.raises(UserError, match="has changed since it was listed") as refused:
        storage.copy(entry, local_folder / "late")
    assert "\n" not in str(refused.value) and not (local_folder / "late").exists()
    (changed,) = storage.entries()
    assert changed.tag != entry.tag
    (local_folder / "below" / "copy.partial").write_bytes(b"of")  # left by an interrupted copy of another version
    storage.copy(changed, local_folder / "below" / "copy")
    assert (local_folder / "below" / "copy").read_bytes() == b"other"
    assert not list(local_folder.glob("below/*.partial"))


def removed_objects_are_gone(storage: StorageURI, local_folder: Path) -> None:
    storage.write("a/b", b"x")
    storage.write("a/bc", b"y")
    storage.remove("a/b")
    storage.remove("a/b")  # removing it again is no error
    assert [entry.key for entry in storage.entries()] == ["a/bc"]
    for key in ("../b", "a/", ""):
        error_of(storage.remove, key)


def a_stale_tag_replaces_nothing(bucket: StorageURI, local_folder: Path) -> None:
    """Remote stores only: `replace` changes the object that has the tag and no other, whatever its size."""
    for name, content in (("small", b"mine"), ("big", LARGE)):
        (local_folder / name).write_bytes(content)
        (local_folder / "other").write_bytes(b"other" + content)
        first = bucket.replace(name, local_folder / name, "")
        (found,) = bucket.entries(name)
        assert found.tag == first
        second = bucket.replace(name, local_folder / "other", first)
        for stale in (first, ""):
            with pytest.raises(AlreadyThere):
                bucket.replace(name, local_folder / name, stale)
        assert bucket.read(name) == b"other" + content
        bucket.replace(name, local_folder / name, second)
        assert bucket.read(name) == content


CASES: list[Callable[[StorageURI, Path], None]] = [
    written_content_is_read_back,
    missing_objects_are_not_found,
    listings_are_complete_and_sorted,
    invalid_keys_are_refused,
    one_of_many_writers_wins,
    uploads_are_verified,
    an_interrupted_download_is_resumed,
    damaged_downloads_are_refused,
    copies_are_refreshed_when_the_tag_changes,
    removed_objects_are_gone,
]

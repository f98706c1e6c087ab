"""What a place must do, be it a folder or a bucket: one function a case, which gets an empty place and an empty folder."""

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
BIG = bytes(range(256)) * (9 << 12)
"""9 MiB: more than one part of an upload."""
ODD = "a b+c%20d&e=f#g?h~ü/'i'(1).jpg"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def alone(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Code run in a process of its own, its input and output in our hands."""
    command, pipe = [sys.executable, "-c", code, *arguments], subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=pipe, stdout=pipe, text=True)


def said_by(use: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """The one line of a UserError."""
    with pytest.raises(UserError) as refused:
        use(*arguments, **named)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def what_is_written_is_read(place: StorageURI, here: Path) -> None:
    for key, content in {"a/b/c": b"first", "empty": b"", ODD: b"odd", "a/b/d": bytes(range(256))}.items():
        assert not place.exists(key)
        place.write(key, content)
        assert place.exists(key) and place.read(key) == content
    place.write("a/b/c", b"second, which is longer")
    assert place.read("a/b/c") == b"second, which is longer"
    assert not place.exists("a/b") and not place.exists("a")
    assert (place / "a/b").read("c") == place.read("a/b/c")


def what_is_not_there_is_said(place: StorageURI, here: Path) -> None:
    place.write("a/bc", b"x")
    for key in ("a/b", "a/bc/d", "nothing/at/all"):
        assert not place.exists(key)
        with pytest.raises(FileNotFoundError):
            place.read(key)
        with pytest.raises(FileNotFoundError):
            place.download(key, here / "copy", size=1, sha256=sha256(b"x"))
    assert list(here.iterdir()) == []
    assert place.entries("a/bc/") == [] and place.entries("b") == []
    assert (place / "nothing").entries() == []


def listings_are_whole_and_in_order(place: StorageURI, here: Path) -> None:
    keys = ["a", "a-b/x", "ab/1", "ab/10", "ab/2", "ab/2.d/deep/er", "b/é", ODD]
    for key in reversed(keys):
        place.write(key, key.encode())
    (place / "ab/2.d").write("more", b"")  # a place in a place
    found = place.entries()
    assert [entry.key for entry in found] == sorted([*keys, "ab/2.d/more"])
    assert {entry.key: entry.size for entry in found} == {key: len(key.encode()) for key in keys} | {"ab/2.d/more": 0}
    assert [entry.key for entry in place.entries("ab/1")] == ["ab/1", "ab/10"]
    assert [entry.key for entry in place.entries("ab/2")] == ["ab/2", "ab/2.d/deep/er", "ab/2.d/more"]
    assert [entry.key for entry in (place / "ab").entries()] == ["1", "10", "2", "2.d/deep/er", "2.d/more"]
    assert [entry.key for entry in (place / "ab/2.d").entries("m")] == ["more"]


def names_that_leave_the_place_are_refused(place: StorageURI, here: Path) -> None:
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
        for use in (place.exists, place.read, place.__truediv__, lambda key: place.write(key, b"")):
            with pytest.raises(UserError, match=r"is not a valid key") as refused:
                use(key)
            assert "\n" not in str(refused.value) and repr(key) in str(refused.value)
    with pytest.raises(UserError, match=r"is not a valid key"):
        place.entries("../")
    assert place.entries() == []


def of_many_writers_one_wins(place: StorageURI, here: Path) -> None:
    for key in ("lock/1", "lock/2", "lock/3"):
        begin = threading.Barrier(6)

        def write(content: bytes, key: str = key, begin: threading.Barrier = begin) -> bytes | None:
            begin.wait(20)
            try:
                place.write(key, content, only_if_absent=True)
            except AlreadyThere:
                return None
            return content

        with ThreadPoolExecutor(6) as pool:
            won = [content for content in pool.map(write, [f"writer {n}".encode() for n in range(6)]) if content]
        assert len(won) == 1
        assert place.read(key) == won[0]
    with pytest.raises(AlreadyThere):
        place.write("lock/1", place.read("lock/1"), only_if_absent=True)
    assert [entry.key for entry in place.entries()] == ["lock/1", "lock/2", "lock/3"]


def uploads_are_whole_and_checked(place: StorageURI, here: Path) -> None:
    for key, content in {"small": b"small", "big": BIG, "empty": b""}.items():
        (here / key).write_bytes(content)
        assert "SHA-256" in said_by(place.upload, key, here / key, sha256=sha256(b"something else"))
        assert place.entries(key) == []
        place.upload(key, here / key, sha256=sha256(content))
        assert place.read(key) == content
        with pytest.raises(UserError, match="SHA-256"):
            place.upload(key, here / "small", sha256=sha256(b"something else"))
        assert place.read(key) == content, "what was there before is there still"
        place.download(key, here / "copy", size=len(content), sha256=sha256(content))
        assert (here / "copy").read_bytes() == content
    assert sorted(path.name for path in here.iterdir()) == ["big", "copy", "empty", "small"]


def a_download_goes_on_where_it_stopped(place: StorageURI, here: Path) -> None:
    content = os.urandom(3 << 20)
    place.write("x", content)
    (here / "copy.partial").write_bytes(content[: 2 << 20])
    place.download("x", here / "copy", size=len(content), sha256=sha256(content))
    assert (here / "copy").read_bytes() == content
    # That it goes on, and does not begin again, shows where the beginning is wrong.
    (here / "second.partial").write_bytes(bytes(2 << 20))
    said = said_by(place.download, "x", here / "second", size=len(content), sha256=sha256(content))
    assert "damaged or another version" in said
    assert [path.name for path in here.iterdir()] == ["copy"]
    (here / "longer.partial").write_bytes(bytes(4 << 20))
    place.download("x", here / "longer", size=len(content), sha256=sha256(content))
    assert (here / "longer").read_bytes() == content
    (here / "whole.partial").write_bytes(content)
    place.download("x", here / "whole", size=len(content), sha256=sha256(content))
    assert (here / "whole").read_bytes() == content


def damaged_downloads_are_refused(place: StorageURI, here: Path) -> None:
    place.write("x", b"what was stored")
    for size, hashed in ((15, b"what was promised"), (14, b"what was stored"), (99, b"what was stored")):
        assert "run again" in said_by(place.download, "x", here / "copy", size=size, sha256=sha256(hashed))
        assert list(here.iterdir()) == []
    (here / "copy").write_bytes(b"what lies here!")
    place.download("x", here / "copy", size=15, sha256=sha256(b"what lies here!"))
    assert (here / "copy").read_bytes() == b"what lies here!", "a copy that is whole is not fetched again"
    place.download("x", here / "copy", size=15, sha256=sha256(b"what was stored"))
    assert (here / "copy").read_bytes() == b"what was stored", "a damaged copy is fetched again"


def copies_follow_the_tag(place: StorageURI, here: Path) -> None:
    place.write("x", b"first")
    (entry,) = place.entries()
    place.copy(entry, here / "below" / "copy")
    assert (here / "below" / "copy").read_bytes() == b"first"
    (here / "below" / "copy").write_bytes(b"kept!")
    place.copy(entry, here / "below" / "copy")
    assert (here / "below" / "copy").read_bytes() == b"kept!", "the same tag is not fetched again"
    place.write("x", b"other")
    with pytest.raises(UserError, match="has changed since it was listed") as refused:
        place.copy(entry, here / "late")
    assert "\n" not in str(refused.value) and not (here / "late").exists()
    (changed,) = place.entries()
    assert changed.tag != entry.tag
    (here / "below" / "copy.partial").write_bytes(b"of")  # what is left of a copy of something else
    place.copy(changed, here / "below" / "copy")
    assert (here / "below" / "copy").read_bytes() == b"other"
    assert not list(here.glob("below/*.partial"))


def what_is_removed_is_gone(place: StorageURI, here: Path) -> None:
    place.write("a/b", b"x")
    place.write("a/bc", b"y")
    place.remove("a/b")
    place.remove("a/b")  # it is gone already
    assert [entry.key for entry in place.entries()] == ["a/bc"]
    for key in ("../b", "a/", ""):
        said_by(place.remove, key)


def a_stale_tag_replaces_nothing(bucket: StorageURI, here: Path) -> None:
    """Of a bucket alone: `replace` holds to the object that its tag is of, in one piece and in parts."""
    for name, content in (("small", b"mine"), ("big", BIG)):
        (here / name).write_bytes(content)
        (here / "other").write_bytes(b"other" + content)
        first = bucket.replace(name, here / name, "")
        (found,) = bucket.entries(name)
        assert found.tag == first
        second = bucket.replace(name, here / "other", first)
        for stale in (first, ""):
            with pytest.raises(AlreadyThere):
                bucket.replace(name, here / name, stale)
        assert bucket.read(name) == b"other" + content
        bucket.replace(name, here / name, second)
        assert bucket.read(name) == content


CASES: list[Callable[[StorageURI, Path], None]] = [
    what_is_written_is_read,
    what_is_not_there_is_said,
    listings_are_whole_and_in_order,
    names_that_leave_the_place_are_refused,
    of_many_writers_one_wins,
    uploads_are_whole_and_checked,
    a_download_goes_on_where_it_stopped,
    damaged_downloads_are_refused,
    copies_follow_the_tag,
    what_is_removed_is_gone,
]

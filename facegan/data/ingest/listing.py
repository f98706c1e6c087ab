"""The files below a folder, with a reason for everything that is no readable file, and the counts of a source."""

import errno
import os
import stat
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from facegan.errors import printable

DANGLING = "a link to nothing"
LOOP = "a link to a folder that it lies in"
A_FOLDER = "a folder, not a file"
EMPTY = "an empty folder"
FORBIDDEN = "this user may not read it"
NO_FILE = "a pipe, a socket or a device, not a file"
ODD_NAME = "its name has a backslash or a character that cannot be printed, is not UTF-8, or ends with .partial"
LONG_NAME = "its name is too long"
_EXAMPLES = 3
_LONGEST_NAME = 200
"""Bytes. File systems take 255, and ingest adds a hash and a suffix."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source: its path relative to the source, its size in bytes, and a tag that changes with the content."""

    key: str
    size: int
    tag: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What is left out of a source: its path there, the reason, and whether it is a whole clip."""

    where: str
    reason: str
    clip: bool


@dataclass(frozen=True, slots=True)
class IngestedSource:
    """A source when it was ingested last: the fingerprint of its files, its clips that were ingested, and what was left out."""

    fingerprint: str
    clips: int
    refused: list[Refused]

    def counts(self) -> str:
        """How many clips were found, and what became of them."""
        refused = sum(one.clip for one in self.refused)
        return f"{self.clips + refused} clips found = {self.clips} ingested + {refused} refused"

    def lines(self) -> list[str]:
        """What was left out, for the console, by reason."""
        reasons = Counter(one.reason for one in self.refused)
        return [f"{count} x {reason}: {self._examples(reason)}" for reason, count in reasons.items()]

    def _examples(self, reason: str) -> str:
        places = [one.where for one in self.refused if one.reason == reason]
        return ", ".join(places[:_EXAMPLES]) + (", ..." if len(places) > _EXAMPLES else "")


def storable(key: str) -> str:
    """The reason why a path cannot name files of a data set; '' if it can."""
    parts = key.split("/")
    # Storage keeps names with that ending for files that are being written; a clip's name is that of its folder or video.
    unfinished = any(name.endswith(".partial") for name in (*parts, os.path.splitext(parts[-1])[0]))
    if not key.isprintable() or "\\" in key or unfinished:
        return ODD_NAME
    return LONG_NAME if any(len(part.encode()) > _LONGEST_NAME for part in parts) else ""


def shown(name: str) -> str:
    """A name in characters that can be printed in one line and stored as UTF-8."""
    # A byte of a file's name that is not UTF-8 is a surrogate from \udc80 to \udcff.
    return printable("".join(f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in name))


def files_of(folder: Path, suffixes: Collection[str]) -> tuple[list[SourceFile], list[Refused]]:
    """All files below a folder by key, and what cannot be read. Hidden files and folders are passed over.

    Links are followed, since clips are often stored on another disk. `suffixes` are those of files: a folder that has one is
    refused.
    """
    listing = _Listing(suffixes)
    listing.walk(str(folder), "", frozenset())
    return sorted(listing.files, key=lambda file: file.key), listing.refused


class _Listing:
    """Files and refusals, collected folder by folder."""

    def __init__(self, suffixes: Collection[str]) -> None:
        self._suffixes = suffixes
        self.files: list[SourceFile] = []
        self.refused: list[Refused] = []

    def walk(self, folder: str, key: str, above: frozenset[str]) -> None:
        """Add what is in a folder; `key` is its path in the source, `above` are the folders that it lies in."""
        try:
            names = [name for name in os.listdir(folder) if not name.startswith(".")]
        except OSError as error:
            self._refuse(key, f"the folder cannot be read ({error.strerror or error})")
            return
        if not names and key and "/" not in key:
            self._refuse(key, EMPTY)
        here = above | {os.path.realpath(folder)}
        for name in names:
            self._add(f"{folder}/{name}", f"{key}/{name}" if key else name, here)

    def _add(self, path: str, key: str, above: frozenset[str]) -> None:
        reason = storable(key)
        if reason:
            self._refuse(shown(key), reason)
            return
        try:
            found = os.stat(path)
        except OSError as error:
            broken = error.errno in (errno.ENOENT, errno.ELOOP) and os.path.islink(path)
            self._refuse(key, DANGLING if broken else f"it cannot be read ({error.strerror or error})")
            return
        if stat.S_ISREG(found.st_mode) and not os.access(path, os.R_OK):
            # Here and not when it is read: a change of permissions changes neither its time nor its size.
            self._refuse(key, FORBIDDEN)
        elif stat.S_ISREG(found.st_mode):
            self.files.append(SourceFile(key, found.st_size, str(found.st_mtime_ns)))
        elif not stat.S_ISDIR(found.st_mode):
            self._refuse(key, NO_FILE)
        elif os.path.splitext(key)[1].lower() in self._suffixes:
            self._refuse(key, A_FOLDER)
        elif os.path.realpath(path) in above:
            self._refuse(key, LOOP)
        else:
            self.walk(path, key, above)

    def _refuse(self, where: str, reason: str) -> None:
        self.refused.append(Refused(where, reason, "/" not in where))

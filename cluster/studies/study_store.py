"""The location of a study: a folder that all nodes share, or a remote URI.

Of a remote study the driver keeps a local copy, and each trial a copy of its own part (`trial_store.py`).
"""

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from cluster.storage.objects import AlreadyThere
from cluster.storage.patience import when_reachable
from cluster.storage.scratch import scratch
from cluster.storage.uri import StorageURI
from cluster.studies.trial_store import CHECKPOINT, TrialStore, unpack_checkpoint
from facegan.cache import cache_folder
from facegan.errors import UserError
from facegan.files import remove_unfinished, write_bytes, write_json
from facegan.records import read_record
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.study_folder import PLAN, check_study_folder, extended_plan, open_study, read_plan
from facegan.study.folder.trial_folder import FINAL, TrialFolder, trial_folder

_ATTEMPTS = 3
_LOCK, _HOLDER = ".driver.lock", ".driver"
_LOOK_SECONDS = 0.5
"""Longer than `job_since` has the lock, which it takes to see whether a job has it."""


@dataclass(frozen=True, slots=True)
class StudyStore:
    """A study's location; pickled into tasks."""

    location: StorageURI

    @property
    def folder(self) -> Path:
        """The study folder on this machine: the location itself, or the driver's copy of a remote study."""
        if not self.location.is_remote:
            return self.location.folder
        name = self.location.uri.rpartition("/")[2]
        return cache_folder() / "studies" / f"{name}-{hashlib.sha256(self.location.uri.encode()).hexdigest()[:12]}"

    def check(self) -> None:
        """Raise UserError if the location cannot be used, or holds other things than a study."""
        if not self.location.is_remote:
            check_study_folder(self.folder)
        self.location.check()
        if self.location.is_remote and not self.location.exists(PLAN) and self.location.entries():
            raise UserError(f"--study is {str(self.location)!r}: a prefix with other objects under it; name a new prefix")

    def plan(self) -> Plan | None:
        """The study's plan; None if there is none yet. Raises UserError if it is damaged."""
        if self.location.is_remote and not self.location.exists(PLAN):
            return None
        self.pull()
        return read_plan(self.folder) if (self.folder / PLAN).exists() else None

    def planned(self, plan: Plan) -> Plan | None:
        """The plan that `open` would return; None if there is no study yet.

        Raises UserError if `open` would; writes nothing but the local copy of a remote study.
        """
        if self.location.is_remote and not self.location.exists(PLAN):
            return None
        self.pull()
        extended = extended_plan(self.folder, plan)
        return extended if (self.folder / PLAN).exists() else None

    def not_ended(self, trials: Iterable[Trial]) -> list[Trial]:
        """Those of the trials that have no final state, in the folder on this machine."""
        return [trial for trial in trials if trial_folder(self.folder, trial).state().state not in FINAL]

    def open(self, plan: Plan) -> Plan:
        """Write the plan of a new study or extend that of an existing one by seeds; returns the study's plan.

        Raises UserError if an existing study has another plan.
        """
        if not self.location.is_remote:
            return open_study(self.folder, plan)
        for _ in range(_ATTEMPTS):
            tags = {entry.key: entry.tag for entry in self.location.entries(PLAN)}
            self.pull()
            opened = open_study(self.folder, plan)
            if PLAN in tags and self.location.read(PLAN) == (self.folder / PLAN).read_bytes():
                return opened
            try:
                self.location.replace(PLAN, self.folder / PLAN, tags.get(PLAN, ""))
                return opened
            except AlreadyThere:  # another driver was faster: its plan is read and extended
                (self.folder / PLAN).unlink()
        raise UserError(f"--study is {str(self.location)!r}: other jobs keep changing its plan; run one at a time")

    @contextmanager
    def only_driver(self) -> Iterator[None]:
        """Hold the study while the block runs, so that no second job runs its trials.

        Raises UserError, with what is known of the holder, if another job of this machine holds it, or one of another machine
        that shares the folder. The operating system ends the hold of a process that is killed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock, holder = FileLock(self.folder / _LOCK), self.folder / _HOLDER
        try:
            lock.acquire(timeout=_LOOK_SECONDS)
        except Timeout:
            who = holder.read_text() if holder.exists() else "it has just started"
            raise UserError(
                f"--study is {str(self.location)!r}: another job works on it ({who}); wait until it has ended, or stop it"
            ) from None
        try:
            remove_unfinished(self.folder)
            since = datetime.now().isoformat(" ", "seconds")
            write_bytes(holder, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode())
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def job_since(self) -> float | None:
        """When the job began that works on the study, as the modification time of a file next to its rows.

        None if there is no such job on this machine, nor on one that shares the folder.
        """
        try:
            with (self.folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with suppress(FileNotFoundError):  # it has just begun, or just ended
                return (self.folder / _HOLDER).stat().st_mtime
        except FileNotFoundError:
            pass
        return None

    def has_job(self) -> bool | None:
        """Whether a job works on the study; None for a study in a bucket, whose job may be on any machine."""
        return None if self.location.is_remote else self.job_since() is not None

    def pull(self) -> None:
        """Update the local copy of a remote study, without checkpoints. The age of its files is that of the objects."""
        if not self.location.is_remote:
            return
        tags_file = self.folder.with_name(f"{self.folder.name}.tags.json")
        tags = read_record(dict[str, str], tags_file, "remove it, and it is made again") or {}
        now = time.time()
        for entry in (e for e in self.location.entries() if not e.key.endswith(CHECKPOINT)):
            if tags.get(entry.key) != entry.tag or not (self.folder / entry.key).exists():
                # An object replaced after the listing is newer than its tag, so the next pull reads it again.
                write_bytes(self.folder / entry.key, self.location.read(entry.key))
                tags[entry.key] = entry.tag
            if entry.age is not None:
                os.utime(self.folder / entry.key, (now - entry.age, now - entry.age))
        write_json(tags_file, tags)

    def push(self) -> None:
        """Upload the files of the whole study (summary, report, figures) if the study is remote."""
        if self.location.is_remote:
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and path.name != PLAN and not path.name.startswith("."):
                    self.location.write(path.name, path.read_bytes())

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Yield a path to write a file of the whole study to, on any node; uploaded afterwards if the study is remote."""
        if not self.location.is_remote:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield self.folder / name
            return
        with scratch() as folder:
            yield folder / name
            self.location.write(name, (folder / name).read_bytes())

    def fetch_shown_checkpoints(self) -> None:
        """Download the checkpoints of the trials that the figures show."""
        if not self.location.is_remote:
            return
        keys = {entry.key for entry in self.location.entries("trials/")}
        plan = read_plan(self.folder)
        self.fetch_checkpoints(shown_trials(plan, self.folder, lambda t: f"trials/{t.key}/{CHECKPOINT}" in keys).values())

    def fetch_checkpoints(self, trials: Iterable[Trial]) -> None:
        """Download the checkpoints of those trials that have one."""
        if not self.location.is_remote:
            return
        entries = {entry.key: entry for entry in self.location.entries("trials/")}
        for trial in trials:
            if entry := entries.get(f"trials/{trial.key}/{CHECKPOINT}"):
                unpack_checkpoint(self.location, entry, self.folder / "trials" / trial.key)

    @contextmanager
    def trial(self, key: str) -> Iterator[TrialStore]:
        """Yield the store of a trial, with a folder on this node to work in."""
        if not self.location.is_remote:
            yield TrialStore(self.location, TrialFolder(self.folder / "trials" / key))
            return
        with scratch() as study:
            tags = when_reachable(lambda: self._fetch_trial(key, study))
            yield TrialStore(self.location, TrialFolder(study / "trials" / key), tags)

    def _fetch_trial(self, key: str, study: Path) -> dict[str, str]:
        """Download a trial's files but its checkpoint; returns the tags of all of them."""
        tags = {}
        for entry in self.location.entries(f"trials/{key}/"):
            tags[entry.key] = entry.tag
            if not entry.key.endswith(CHECKPOINT):
                write_bytes(study / entry.key, self.location.read(entry.key))
        return tags

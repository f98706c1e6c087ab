"""The location of a study: a folder that all nodes share, or a remote URI.

Of a remote study the driver keeps a local copy, and each trial a copy of its own part. Objects are replaced atomically, a
trial's state last, and a checkpoint is one object, checkpoint.tar. A trial that was killed can therefore continue on any node
from what it published last.
"""

import hashlib
import os
import socket
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from cluster.storage.objects import AlreadyThere, Entry
from cluster.storage.scratch import scratch
from cluster.storage.uri import StorageURI
from facegan.cache import cache_folder
from facegan.errors import UserError
from facegan.files import write_bytes, write_json
from facegan.records import read_record
from facegan.study.analysis.model_selection import best_trials
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.study_folder import PLAN, check_study_folder, extended_plan, open_study, read_plan
from facegan.study.folder.trial_folder import FINAL, STATE, TrialFolder, trial_folder

_CHECKPOINT = "checkpoint.tar"
_PUBLISH_EVERY_SECONDS = 10.0
_ATTEMPTS = 3


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
        lock, holder = FileLock(self.folder / ".driver.lock"), self.folder / ".driver"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            who = holder.read_text() if holder.exists() else "it has just started"
            raise UserError(
                f"--study is {str(self.location)!r}: another job works on it ({who}); wait until it has ended, or stop it"
            ) from None
        try:
            since = datetime.now().isoformat(" ", "seconds")
            write_bytes(holder, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode())
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def pull(self) -> None:
        """Update the local copy of a remote study, without checkpoints."""
        if not self.location.is_remote:
            return
        tags_file = self.folder.with_name(f"{self.folder.name}.tags.json")
        tags = read_record(dict[str, str], tags_file, "remove it, and it is made again") or {}
        for entry in (e for e in self.location.entries() if not e.key.endswith(_CHECKPOINT)):
            if tags.get(entry.key) != entry.tag or not (self.folder / entry.key).exists():
                # An object replaced after the listing is newer than its tag, so the next pull reads it again.
                write_bytes(self.folder / entry.key, self.location.read(entry.key))
                tags[entry.key] = entry.tag
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
        self.fetch_checkpoints(best_trials(plan, self.folder, lambda t: f"trials/{t.key}/{_CHECKPOINT}" in keys).values())

    def fetch_checkpoints(self, trials: Iterable[Trial]) -> None:
        """Download the checkpoints of those trials that have one."""
        if not self.location.is_remote:
            return
        entries = {entry.key: entry for entry in self.location.entries("trials/")}
        for trial in trials:
            if entry := entries.get(f"trials/{trial.key}/{_CHECKPOINT}"):
                self._unpack(entry, self.folder / "trials" / trial.key)

    @contextmanager
    def trial(self, key: str) -> Iterator["TrialStore"]:
        """Yield the store of a trial, with a folder on this node to work in."""
        if not self.location.is_remote:
            yield TrialStore(self, TrialFolder(self.folder / "trials" / key))
            return
        with scratch() as study:
            tags = {}
            for entry in self.location.entries(f"trials/{key}/"):
                tags[entry.key] = entry.tag
                if not entry.key.endswith(_CHECKPOINT):
                    write_bytes(study / entry.key, self.location.read(entry.key))
            yield TrialStore(self, TrialFolder(study / "trials" / key), tags)

    def _unpack(self, entry: Entry, trial: Path) -> None:
        self.location.copy(entry, trial / _CHECKPOINT)
        try:
            with tarfile.open(trial / _CHECKPOINT, "r:") as archive:
                archive.extractall(trial, filter="data")
        except tarfile.TarError as error:
            where = f"{self.location}/{entry.key}"
            raise UserError(f"{where} is damaged ({error}); remove it: a trial that is not completed starts again") from None


@dataclass(slots=True)
class TrialStore:
    """A trial's folder on this node. Of a remote study, `publish` uploads what has changed in it."""

    store: StudyStore
    folder: TrialFolder
    _tags: dict[str, str] = field(default_factory=dict)
    """Tags of the uploaded objects, by key: as found at the start, or after the last upload."""
    _sent: dict[str, int] = field(default_factory=dict)
    """Modification times of the files at their last upload."""
    _published: float = 0.0

    def fetch_checkpoint(self) -> None:
        """Download the trial's last checkpoint into the folder, if there is one."""
        if self.store.location.is_remote:
            prefix = f"trials/{self.folder.path.name}/{_CHECKPOINT}"
            for entry in self.store.location.entries(prefix):  # one or none
                self.store._unpack(entry, self.folder.path)

    def study_file(self, name: str) -> Path:
        """The path of a file of the whole study, downloaded if it exists."""
        path = self.folder.path.parent.parent / name
        if self.store.location.is_remote and not path.exists() and self.store.location.exists(name):
            write_bytes(path, self.store.location.read(name))
        return path

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial of the study, downloaded if it exists."""
        other = TrialFolder(self.folder.path.parent / key)
        if self.store.location.is_remote:
            for entry in self.store.location.entries(f"trials/{key}/{_CHECKPOINT}"):  # one or none
                self.store._unpack(entry, other.path)
        return other.checkpoint

    def publish(self, *, now: bool) -> None:
        """Upload what has changed, at once or if some seconds have passed since the last upload."""
        if not self.store.location.is_remote or not (now or time.monotonic() - self._published > _PUBLISH_EVERY_SECONDS):
            return
        # A resumed run drops the rows after its checkpoint but cannot recreate rows before it, so rows are uploaded first.
        # The state is uploaded last: everything that it announces must exist.
        root = self.folder.path
        files = (*root.glob("*.json*"), *self.folder.samples.glob("*.png"))
        for path in files:
            if path.name != STATE and path.suffix != ".partial" and self._is_new(path):
                self._replace(path)
        self._publish_checkpoint()
        if (root / STATE).exists() and self._is_new(root / STATE):
            self._replace(root / STATE)
        self._published = time.monotonic()

    def _replace(self, path: Path) -> None:
        # A node that lost its connection may return while another node runs its trial again, or after that has ended. Its
        # tags are then outdated, and the upload is refused.
        key = f"trials/{path.relative_to(self.folder.path.parent).as_posix()}"
        try:
            self._tags[key] = self.store.location.replace(key, path, self._tags.get(key, ""))
        except AlreadyThere:
            raise UserError(
                f"{self.store.location}/{key} was written by another run of this trial: this run ends, the other one "
                "continues; run the same command again if the trial is not completed by then"
            ) from None

    def _publish_checkpoint(self) -> None:
        if not (self.folder.checkpoint / STATE).exists() or not self._is_new(self.folder.checkpoint / STATE):
            return
        packed = self.folder.path / _CHECKPOINT
        with tarfile.open(packed, "w") as archive:
            archive.add(self.folder.checkpoint, self.folder.checkpoint.name)
        self._replace(packed)

    def _is_new(self, path: Path) -> bool:
        changed = path.stat().st_mtime_ns
        before, self._sent[str(path)] = self._sent.get(str(path)), changed
        return before != changed

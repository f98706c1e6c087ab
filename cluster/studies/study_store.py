"""Where a study lies: a folder that all nodes see, or a bucket, of which the driver keeps a copy and each trial its own part.

On a bucket every object appears whole, a trial's state last, and a checkpoint is one object: checkpoint.tar. So a trial that
was killed anywhere goes on anywhere from what it last published.
"""

import hashlib
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.storage.objects import AlreadyThere, Entry
from cluster.storage.scratch import scratch
from cluster.storage.uri import StorageURI
from facegan.cache import cache_folder
from facegan.errors import UserError
from facegan.files import read_json, write_bytes, write_json
from facegan.study.analysis.model_selection import best_trials
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.study_folder import PLAN, check_study_folder, open_study, read_plan
from facegan.study.folder.trial_folder import STATE, TrialFolder

_CHECKPOINT = "checkpoint.tar"
_PUBLISH_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StudyStore:
    """A study's place; it travels into tasks."""

    place: StorageURI

    @property
    def folder(self) -> Path:
        """The study's folder on this machine: the place itself, or the driver's copy of the bucket without checkpoints."""
        if not self.place.is_remote:
            return self.place.folder
        name = self.place.uri.rpartition("/")[2]
        return cache_folder() / "studies" / f"{name}-{hashlib.sha256(self.place.uri.encode()).hexdigest()[:12]}"

    def check(self) -> None:
        """Refuse a place that cannot be used or that holds things but no study."""
        self.place.check()
        if not self.place.is_remote:
            check_study_folder(self.folder)
        elif not self.place.exists(PLAN) and self.place.entries():
            raise UserError(f"--study is {str(self.place)!r}: a prefix with other objects under it; name a new one")

    def open(self, plan: Plan) -> None:
        """Write the plan of a new study, or check that the study that is there has the same."""
        self.pull()
        open_study(self.folder, plan)
        if self.place.is_remote:
            try:
                self.place.write(PLAN, (self.folder / PLAN).read_bytes(), only_if_absent=True)
            except AlreadyThere:
                self.pull()
                open_study(self.folder, plan)

    def pull(self) -> None:
        """Bring the driver's copy up to date, checkpoints left out."""
        if not self.place.is_remote:
            return
        seen = self.folder.with_name(f"{self.folder.name}.tags.json")
        tags: dict[str, str] = read_json(seen) or {}
        for entry in (e for e in self.place.entries() if not e.key.endswith(_CHECKPOINT)):
            if tags.get(entry.key) != entry.tag or not (self.folder / entry.key).exists():
                # What is replaced after it was listed comes newer than its tag, and once more with the next pull.
                write_bytes(self.folder / entry.key, self.place.read(entry.key))
                tags[entry.key] = entry.tag
        write_json(seen, tags)

    def push(self) -> None:
        """Publish the files that belong to the whole study: summary, report, figures."""
        if self.place.is_remote:
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and path.name != PLAN:
                    self.place.write(path.name, path.read_bytes())

    @contextmanager
    def making(self, name: str) -> Iterator[Path]:
        """Where to make a file of the whole study, from any node; on a bucket it is published afterwards."""
        if not self.place.is_remote:
            self.folder.mkdir(parents=True, exist_ok=True)
            yield self.folder / name
            return
        with scratch() as folder:
            yield folder / name
            self.place.write(name, (folder / name).read_bytes())

    def fetch_shown_checkpoints(self) -> None:
        """Bring the checkpoints of the trials that figures show into the driver's copy."""
        if not self.place.is_remote:
            return
        there = {entry.key for entry in self.place.entries("trials/")}
        plan = read_plan(self.folder)
        self.fetch_checkpoints(best_trials(plan, self.folder, lambda t: f"trials/{t.key}/{_CHECKPOINT}" in there).values())

    def fetch_checkpoints(self, trials: Iterable[Trial]) -> None:
        """Bring the checkpoints of some trials, as far as they have any, into the driver's copy."""
        if not self.place.is_remote:
            return
        there = {entry.key: entry for entry in self.place.entries("trials/") if entry.key.endswith(_CHECKPOINT)}
        for trial in (t for t in trials if f"trials/{t.key}/{_CHECKPOINT}" in there):
            self._unpack(there[f"trials/{trial.key}/{_CHECKPOINT}"], self.folder / "trials" / trial.key)

    @contextmanager
    def trial(self, key: str) -> Iterator["TrialStore"]:
        """A trial's folder to work in, and how what is done there is published."""
        if not self.place.is_remote:
            yield TrialStore(self, TrialFolder(self.folder / "trials" / key))
            return
        with scratch() as study:
            tags = {}
            for entry in self.place.entries(f"trials/{key}/"):
                tags[entry.key] = entry.tag
                if not entry.key.endswith(_CHECKPOINT):
                    write_bytes(study / entry.key, self.place.read(entry.key))
            yield TrialStore(self, TrialFolder(study / "trials" / key), tags)

    def _unpack(self, entry: Entry, trial: Path) -> None:
        self.place.copy(entry, trial / _CHECKPOINT)
        with tarfile.open(trial / _CHECKPOINT) as archive:
            archive.extractall(trial, filter="data")


@dataclass(slots=True)
class TrialStore:
    """A trial at work in its folder. On a bucket, `publish` sends what has changed there."""

    store: StudyStore
    folder: TrialFolder
    _tags: dict[str, str] = field(default_factory=dict)
    """Of what is published, as it was found or last replaced."""
    _sent: dict[str, int] = field(default_factory=dict)
    _published: float = 0.0

    def fetch_checkpoint(self) -> None:
        """See that the folder holds the trial's last checkpoint, if it has one."""
        if self.store.place.is_remote:
            prefix = f"trials/{self.folder.path.name}/{_CHECKPOINT}"
            for entry in self.store.place.entries(prefix):
                self.store._unpack(entry, self.folder.path)

    def study_file(self, name: str) -> Path:
        """A file of the whole study, fetched if it is there."""
        path = self.folder.path.parent.parent / name
        if self.store.place.is_remote and not path.exists() and self.store.place.exists(name):
            write_bytes(path, self.store.place.read(name))
        return path

    def publish(self, *, now: bool) -> None:
        """Send what has changed, at once or when some seconds have passed since the last time."""
        if not self.store.place.is_remote or not (now or time.monotonic() - self._published > _PUBLISH_EVERY_SECONDS):
            return
        # As in a folder: a checkpoint never without the rows that led to it, for a resumed run drops those after it but
        # cannot make up for any before. The state comes last: what it says is there already.
        files = self._files()
        self._publish_files([path for path in files if path.name != STATE])
        self._publish_checkpoint()
        self._publish_files([path for path in files if path.name == STATE])
        self._published = time.monotonic()

    def _publish_files(self, paths: list[Path]) -> None:
        for path in paths:
            if self._is_new(path):
                self._replace(path)

    def _replace(self, path: Path) -> None:
        # A node that was cut off may come back while its trial is run again elsewhere, or after that has ended.
        key = self._key(path)
        try:
            self._tags[key] = self.store.place.replace(key, path, self._tags.get(key, ""))
        except AlreadyThere:
            raise UserError(
                f"{self.store.place}/{key} was written by another run of this trial, which goes on; this one ends, and the same "
                "command tries again what is missing then"
            ) from None

    def _files(self) -> list[Path]:
        root = self.folder.path
        return [p for p in (*root.glob("*.json*"), *self.folder.samples.glob("*.png")) if p.suffix != ".partial"]

    def _publish_checkpoint(self) -> None:
        if not (self.folder.checkpoint / STATE).exists() or not self._is_new(self.folder.checkpoint / STATE):
            return
        packed = self.folder.path / _CHECKPOINT
        with tarfile.open(packed, "w") as archive:
            archive.add(self.folder.checkpoint, self.folder.checkpoint.name)
        self._replace(packed)

    def _is_new(self, path: Path) -> bool:
        changed = path.stat().st_mtime_ns
        known, self._sent[str(path)] = self._sent.get(str(path)), changed
        return known != changed

    def _key(self, path: Path) -> str:
        return f"trials/{path.relative_to(self.folder.path.parent).as_posix()}"

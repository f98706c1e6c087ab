"""The files of one trial while it runs, on the node that runs it, and their upload where the study is remote.

Objects are replaced atomically, a trial's state last, and a checkpoint is one object, checkpoint.tar. A trial that was killed
can therefore continue on any node from what it published last.
"""

import os
import secrets
import tarfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cluster.storage.objects import AlreadyThere, Entry, Unreachable
from cluster.storage.patience import when_reachable
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from facegan.files import remove_unfinished, write_bytes
from facegan.study.folder.trial_folder import STATE, TrialFolder

CHECKPOINT = "checkpoint.tar"
"""The object of a trial that holds its checkpoint."""
_PUBLISH_EVERY_SECONDS = 10.0


@dataclass(slots=True)
class TrialStore:
    """A trial's folder on this node. Of a remote study, `publish` uploads what has changed in it."""

    location: StorageURI
    """Of the study."""
    folder: TrialFolder
    _tags: dict[str, str] = field(default_factory=dict)
    """Tags of the uploaded objects, by key: as found at the start, or after the last upload."""
    _sent: dict[str, int] = field(default_factory=dict)
    """Modification times of the files at their last upload."""
    _published: float = 0.0
    _token: bytes = b""

    def claim(self) -> None:
        """Become the writer of the trial, in place of an earlier run that may have outlived its driver or its node.

        What that run left half written is removed. In a bucket none of this is needed: there each upload names the object that
        it replaces, and each run works in a folder of its own.
        """
        if not self.location.is_remote:
            self._token = secrets.token_hex(8).encode()
            write_bytes(self._writer, self._token)
            remove_unfinished(self.folder.path)

    def check_claim(self) -> None:
        """Raise UserError if another run has become the writer since `claim`."""
        if self._token and self._writer.read_bytes() != self._token:
            raise UserError(
                f"{self.folder.path} is written by another run of this trial: this run ends, the other one continues"
            )

    def node_ends(self) -> bool:
        """Whether there is the file that FACEGAN_NOTICE names, which infra/aws/spot_notice.sh makes."""
        notice = os.environ.get("FACEGAN_NOTICE", "")
        return bool(notice) and Path(notice).exists()

    @property
    def _writer(self) -> Path:
        return self.folder.path / ".writer"

    def fetch_checkpoint(self) -> None:
        """Download the trial's last checkpoint into the folder, if there is one."""
        if self.location.is_remote:
            prefix = f"trials/{self.folder.path.name}/{CHECKPOINT}"
            when_reachable(lambda: _fetch(self.location, prefix, self.folder))

    def study_file(self, name: str) -> Path:
        """The path of a file of the whole study, downloaded if it exists."""
        path = self.folder.path.parent.parent / name
        if self.location.is_remote and not path.exists() and when_reachable(lambda: self.location.exists(name)):
            write_bytes(path, when_reachable(lambda: self.location.read(name)))
        return path

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial of the study, downloaded if it exists."""
        other = TrialFolder(self.folder.path.parent / key)
        if self.location.is_remote:
            when_reachable(lambda: _fetch(self.location, f"trials/{key}/{CHECKPOINT}", other))
        return other.checkpoint

    def publish(self, *, now: bool) -> None:
        """Upload what has changed, at once or if some seconds have passed since the last upload.

        A server that does not answer is no failure of the trial. What need not be sent now is sent with the next upload;
        otherwise this waits until the server answers, for an hour.
        """
        if not self.location.is_remote or not (now or time.monotonic() - self._published > _PUBLISH_EVERY_SECONDS):
            return
        if now:
            when_reachable(self._send)
        else:
            with suppress(Unreachable):
                self._send()
        self._published = time.monotonic()

    def _send(self) -> None:
        # A resumed run drops the rows after its checkpoint but cannot recreate rows before it, so rows are uploaded first.
        # The state is uploaded last: everything that it announces must exist.
        root = self.folder.path
        files = (*root.glob("*.json*"), *self.folder.samples.glob("*.png"))
        for path in files:
            if path.name != STATE and path.suffix != ".partial":
                self._replace_if_new(path)
        self._publish_checkpoint()
        if (root / STATE).exists():
            self._replace_if_new(root / STATE)

    def _replace_if_new(self, path: Path) -> None:
        # Noted after the upload: one that fails is made again.
        changed = path.stat().st_mtime_ns
        if self._sent.get(str(path)) != changed:
            self._replace(path)
            self._sent[str(path)] = changed

    def _replace(self, path: Path) -> None:
        # A node that lost its connection may return while another node runs its trial again, or after that has ended. Its
        # tags are then outdated, and the upload is refused.
        key = f"trials/{path.relative_to(self.folder.path.parent).as_posix()}"
        try:
            self._tags[key] = self.location.replace(key, path, self._tags.get(key, ""))
        except AlreadyThere:
            raise UserError(
                f"{self.location}/{key} was written by another run of this trial: this run ends, the other one "
                "continues; run the same command again if the trial is not completed by then"
            ) from None

    def _publish_checkpoint(self) -> None:
        state = self.folder.checkpoint / STATE
        changed = state.stat().st_mtime_ns if state.exists() else None
        if changed is None or self._sent.get(str(state)) == changed:
            return
        packed = self.folder.path / CHECKPOINT
        with tarfile.open(packed, "w") as archive:
            archive.add(self.folder.checkpoint, self.folder.checkpoint.name)
        self._replace(packed)
        self._sent[str(state)] = changed


def _fetch(location: StorageURI, prefix: str, trial: TrialFolder) -> None:
    for entry in location.entries(prefix):  # one or none
        unpack_checkpoint(location, entry, trial.path)


def unpack_checkpoint(location: StorageURI, entry: Entry, trial: Path) -> None:
    """Download the listed checkpoint into a trial's folder. Raises UserError if it is damaged."""
    location.copy(entry, trial / CHECKPOINT)
    try:
        with tarfile.open(trial / CHECKPOINT, "r:") as archive:
            archive.extractall(trial, filter="data")
    except tarfile.TarError as error:
        where = f"{location}/{entry.key}"
        raise UserError(f"{where} is damaged ({error}); remove it: a trial that is not completed starts again") from None

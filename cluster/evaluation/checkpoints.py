"""What is evaluated: the generators of a checkpoint's folder, or of all trials of a study that have one."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cluster.datasets.dataset import DataSet, planned_data
from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan import checkpoint
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.folder.study_folder import PLAN, read_plan
from facegan.study.folder.trial_folder import trial_folder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A generator to judge; its weights travel on their own. `sha256` is of all that decides what it draws."""

    label: str
    arm: str
    seed: int
    candidate: int
    images: int
    config: Config
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckpointSet:
    """The subjects with their weights (the bytes of a safetensors file), and the data set that their study was planned on."""

    name: str
    subjects: list[Checkpoint]
    weights: list[bytes]
    planned: DataSet | None


def read_checkpoints(uri: str) -> CheckpointSet:
    """The checkpoint or the study that a user named."""
    where = storage_uri("--checkpoint", uri)
    if where.is_remote or (where.folder / PLAN).exists():
        return _of_study(StudyStore(where))
    if not where.folder.is_dir():
        raise UserError(f"--checkpoint is {uri!r}: no such folder; name a trial's checkpoint folder or a study")
    subject, weights = _read(where.folder, where.folder.parent.name, "", 0)
    return CheckpointSet(where.folder.parent.name, [subject], [weights], None)


def _of_study(store: StudyStore) -> CheckpointSet:
    store.pull()
    plan = read_plan(store.folder)
    store.fetch_checkpoints(plan.trials)
    labels = {arm.name: arm.label for arm in plan.arms}
    found = []
    for trial in (t for t in plan.trials if trial_folder(store.folder, t).checkpoint.exists()):
        number = f" #{trial.candidate}" if any(t.candidate for t in plan.trials) else ""
        label = f"{labels[trial.arm]}{number} seed {trial.seed}"
        found.append(_read(trial_folder(store.folder, trial).checkpoint, label, trial.arm, trial.candidate))
    if not found:
        raise UserError(f"--checkpoint is {str(store.place)!r}: a study of which no trial has a checkpoint yet")
    return CheckpointSet(
        store.folder.name, [subject for subject, _ in found], [weights for _, weights in found], planned_data(plan)
    )


def _read(folder: Path, label: str, arm: str, candidate: int) -> tuple[Checkpoint, bytes]:
    config, images = checkpoint.read_config(folder)
    weights = checkpoint.generator_bytes(folder)
    about = json.dumps([config.to_dict()["model"], config.data.size], sort_keys=True).encode()
    digest = hashlib.sha256(about + weights).hexdigest()
    return Checkpoint(label, arm, config.seed, candidate, images, config, digest), weights

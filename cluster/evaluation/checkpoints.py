"""The checkpoints to evaluate: that of one trial, or those of all trials of a study."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from cluster.datasets.dataset import DataSet, planned_data
from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.folder.study_folder import PLAN, read_plan
from facegan.study.folder.trial_folder import STATE, trial_folder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A generator to evaluate, without its weights. `sha256` covers everything that decides what it draws."""

    label: str
    arm: str
    seed: int
    candidate: int
    images: int
    config: Config
    sha256: str


@dataclass(frozen=True, slots=True)
class CheckpointSet:
    """Checkpoints, the weights of each (the bytes of a safetensors file), and the data set to evaluate them on."""

    name: str
    checkpoints: list[Checkpoint]
    weights: list[bytes]
    data: DataSet


def read_checkpoints(uri: str, data: DataSet | None) -> CheckpointSet:
    """The checkpoints of --checkpoint: a checkpoint folder, a study folder or a study at a remote URI.

    `data` replaces the data set that a study was planned on. A checkpoint folder does not name its data set, so it needs one.
    """
    location = storage_uri("--checkpoint", uri)
    if location.is_remote or (location.folder / PLAN).exists():
        return _read_study(StudyStore(location), data)
    folder = location.folder
    if not folder.is_dir():
        raise UserError(f"--checkpoint is {uri!r}: no such folder; name a trial's checkpoint folder or a study")
    if not (folder / STATE).exists():
        raise UserError(
            f"--checkpoint is {uri!r}: the folder is no checkpoint ({STATE} is missing) and no study ({PLAN} is missing); "
            "name a trial's checkpoint folder or a study"
        )
    if data is None:
        raise UserError("--data is missing: a checkpoint folder does not name its data set; give one made by jobs/ingest.py")
    checkpoint, weights = _read(folder, folder.parent.name, "", 0)
    return CheckpointSet(folder.parent.name, [checkpoint], [weights], data)


def _read_study(store: StudyStore, data: DataSet | None) -> CheckpointSet:
    store.pull()
    plan = read_plan(store.folder, "--checkpoint", str(store.location))
    store.fetch_checkpoints(plan.trials)
    labels = {arm.name: arm.label for arm in plan.arms}
    has_candidates = any(trial.candidate for trial in plan.trials)
    checkpoints, weights = [], []
    for trial in plan.trials:
        folder = trial_folder(store.folder, trial).checkpoint
        if folder.exists():
            label = f"{labels[trial.arm]}{f' #{trial.candidate}' if has_candidates else ''} seed {trial.seed}"
            checkpoint, content = _read(folder, label, trial.arm, trial.candidate)
            checkpoints.append(checkpoint)
            weights.append(content)
    if not checkpoints:
        raise UserError(f"--checkpoint is {str(store.location)!r}: no trial of this study has a checkpoint yet; train it first")
    return CheckpointSet(store.folder.name, checkpoints, weights, data or planned_data(plan))


def _read(folder: Path, label: str, arm: str, candidate: int) -> tuple[Checkpoint, bytes]:
    from facegan.training import checkpoint as files  # imports torch, which takes seconds that a wrong flag must not wait for

    config, images = files.read_config(folder)
    weights = files.generator_bytes(folder)
    about = json.dumps([config.to_dict()["model"], config.data.size], sort_keys=True).encode()
    digest = hashlib.sha256(about + weights).hexdigest()
    return Checkpoint(label, arm, config.seed, candidate, images, config, digest), weights

"""Bytes of a trial's folder and of a whole study, from the networks' parameters and the numbers of rows and checkpoints."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from facegan.config import Config
from facegan.study.cost.schedule import checkpoints
from facegan.study.design.plan import WARM_UP, Plan, Trial

_FLOAT = 4
_ROW = 60
"""Bytes of a metric in a row of metrics.jsonl: name and value as text."""
_METRICS, _METRICS_OF_TERM = 12, 2
_DIAGNOSTICS_OF_PAIR, _DIAGNOSTICS_OF_TERM = 1, 2
_GRID_ROWS, _GRID_COLUMNS, _TILE = 6, 4, 96
_PNG, _PNG_ENLARGED = 0.45, 0.25
"""Of a grid's pixels, as found on rendered faces; those of small images are enlarged, which compresses better."""
_SCORES = 60_000
"""scores.json with some dozen test people, and the other small files."""
_STUDY = 25_000_000
"""Figures, report, faces found in the real frames, tables, and the experiment tracker's files."""
_TENSORS = 64_000
"""Headers of the files of a checkpoint, and its state.json."""


@dataclass(frozen=True, slots=True)
class StorageEstimate:
    """Bytes of a study's folder or bucket. Nothing is removed from it, so it is largest at its end."""

    checkpoint_bytes: int
    """Of one trial: networks and optimizers. Only the last checkpoint of a trial is kept."""
    samples_bytes: int
    """Grids of held-out faces, of all trials."""
    rows_bytes: int
    """Rows of metrics and scores, of all trials."""
    peak_bytes: int
    """Of the study, while as many checkpoints are replaced as trials run at once."""


def trial_bytes(plan: Plan, trial: Trial, images: float) -> tuple[int, int, int]:
    """Bytes of a trial's checkpoint, samples and rows after its training `images`."""
    config = trial.config
    scale = math.ceil(_TILE / config.data.size)
    pixels = _GRID_ROWS * _GRID_COLUMNS * (config.data.size * scale) ** 2
    grid = 3 * pixels * (_PNG if scale == 1 else _PNG_ENLARGED)
    terms = len(config.loss.active())
    rows = images / config.report_every
    diagnosed = min(rows, images / config.gradient_diagnostics_every) if config.gradient_diagnostics_every else 0
    values = rows * (_METRICS + _METRICS_OF_TERM * terms)
    values += diagnosed * (_DIAGNOSTICS_OF_TERM * terms + _DIAGNOSTICS_OF_PAIR * terms * (terms - 1) / 2)
    scores = 0 if trial.arm == WARM_UP else _SCORES
    return checkpoint_bytes(config), int(checkpoints(images, trial) * grid), int(values * _ROW + scores)


def checkpoint_bytes(config: Config) -> int:
    """Of a checkpoint: the generator with Adam's two moments, its average if there is one, and the discriminator."""
    import torch  # takes seconds

    from facegan.nets.discriminator import build_discriminator
    from facegan.nets.generator import build_generator

    with torch.device("meta"):
        networks = [build_generator(config.model), build_discriminator(config.model)]
    of_generator, of_discriminator = (sum(t.numel() for t in network.state_dict().values()) for network in networks)
    copies = 4 if config.optim.average else 3
    return int(_FLOAT * (copies * of_generator + of_discriminator)) + _TENSORS


def storage_of(plan: Plan, images: Sequence[tuple[Trial, float]], at_once: int, remote: bool) -> StorageEstimate:
    """Of a study whose trials, warm-ups too, train on so many images. In a bucket a checkpoint is replaced as one object."""
    parts = [trial_bytes(plan, trial, count) for trial, count in images]
    checkpoint = max((part[0] for part in parts), default=0)
    samples, rows = sum(part[1] for part in parts), sum(part[2] for part in parts)
    replaced = 0 if remote else min(at_once, len(parts)) * checkpoint
    kept = sum(part[0] for part in parts)
    return StorageEstimate(checkpoint, samples, rows, kept + samples + rows + replaced + _STUDY)

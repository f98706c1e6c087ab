"""Storage: what is computed from a configuration against the files that its run leaves."""

from pathlib import Path

import pytest
import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.study.cost.schedule import checkpoints
from facegan.study.cost.storage import checkpoint_bytes, storage_of, trial_bytes
from facegan.trial import TrialRun, run_trial
from facegan.trial_storage import LocalStorage
from tests.facegan.study.cost.test_schedule import plan

GROWN = {"model.generator_width": 8, "model.discriminator_width": 8, "gradient_diagnostics_every": 8, "report_every": 8}


def size(folder: Path, pattern: str = "**/*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_trial_leaves_as_many_bytes_as_are_computed(tiny: Config, data: FaceData, tmp_path: Path, average: float) -> None:
    """Checkpoints to 5 %; samples, rows and scores within a factor of two."""
    study = plan(tiny.override({**GROWN, "optim.average": average}), "full")
    trial, storage = study.trials[0], LocalStorage(tmp_path, "trial")
    run_trial(TrialRun(trial.config, storage), data, torch.device("cpu"), lambda _: None)
    checkpoint, samples, rows = trial_bytes(study, trial, trial.config.images)
    folder = storage.folder.path
    assert len(list(storage.folder.samples.glob("*"))) == checkpoints(trial.config.images, trial) == 2
    print(
        f"\ncheckpoint {checkpoint} for {size(folder / 'checkpoint')}, samples {samples} for {size(folder / 'samples')}, "
        f"metrics.jsonl and scores {rows} for {size(folder, '*.json*')}"
    )
    assert checkpoint == pytest.approx(size(folder / "checkpoint"), rel=0.05)
    assert 0.5 < samples / size(folder / "samples") < 2
    # scores.json grows with the number of test people, of whom there are two here.
    assert 0.5 < (rows - 60_000) / size(folder, "metrics.jsonl") < 2


def test_a_study_holds_a_checkpoint_for_each_trial_and_those_being_replaced(tiny: Config) -> None:
    study = plan(tiny, "no_pixel", "full", seeds=(0, 1))
    runs = [(trial, float(trial.config.images)) for trial in study.trials]
    one, checkpoint = storage_of(study, runs, 1, remote=False), checkpoint_bytes(tiny)
    assert storage_of(study, runs, 3, remote=False).peak_bytes - one.peak_bytes == 2 * checkpoint
    assert one.peak_bytes - storage_of(study, runs, 1, remote=True).peak_bytes == checkpoint
    more = storage_of(study, runs * 2, 1, remote=False)
    assert more.peak_bytes - one.peak_bytes == 4 * checkpoint + one.samples_bytes + one.rows_bytes

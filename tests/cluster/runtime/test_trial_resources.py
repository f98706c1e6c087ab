"""Resources of a trial: as asked, or as measured in a Ray task, here on the CPU."""

import json
from pathlib import Path

import pytest

from cluster.runtime import trial_resources as module
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.trial_resources import choose_trial_resources
from facegan.config import Config
from facegan.errors import UserError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def test_without_a_gpu_nothing_is_measured(tiny: Config, tmp_path: Path) -> None:
    assert choose_trial_resources(TrialResources(), tiny, tmp_path) == TrialResources()
    assert not list(tmp_path.iterdir())


def test_several_numbers_of_trials_are_measured_and_saved(tiny: Config, tmp_path: Path) -> None:
    best = module._measure_and_save(tiny, tmp_path, (1, 2), device="cpu")
    found = json.loads((tmp_path / "packing.json").read_text())
    assert [row["trials"] for row in found] == [1, 2]
    assert all(row["images_per_second"] > 0 for row in found)
    assert module._saved_best(tmp_path) == best


def test_a_trial_that_does_not_run_alone_is_a_user_error_and_not_saved(tiny: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not run on a GPU"):
        module._measure_and_save(tiny, tmp_path, (1,), device="no_such_device")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("asked", "gets"), [(None, 0.25), (1.0, 1.0)])
def test_a_gpu_is_shared_as_measured_unless_the_user_gives_a_number(
    asked: float | None, gets: float, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {1: 100.0, 2: 180.0, 4: 250.0, 8: 252.0}
    rows = [{"trials": n, "images_per_second": rate, "error": ""} for n, rate in rates.items()]
    (tmp_path / "packing.json").write_text(json.dumps(rows))
    monkeypatch.setattr(module, "total", lambda resource: {"GPU": 1.0, "CPU": 16.0}[resource])
    assert choose_trial_resources(TrialResources(gpus_per_trial=asked), tiny, tmp_path).gpus_per_trial == gets

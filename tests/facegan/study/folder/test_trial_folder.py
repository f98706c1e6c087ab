"""The files of a trial: rows of metrics that a resumed trial writes again, and the state after a failure."""

from pathlib import Path

import pytest

from facegan.study.folder.trial_folder import Conditions, MetricsRow, TrialFolder, TrialState


def test_a_trial_without_files_is_pending(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "trial")
    assert (folder.state(), folder.conditions(), folder.rows(), folder.scores()) == (TrialState(), Conditions(), [], None)


def test_rows_that_a_resumed_trial_writes_again_are_dropped(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    rows = [MetricsRow(images, images / 10, 5.0, {"loss/pixel": 0.1 * images}) for images in (8, 16, 24)]
    for row in rows:
        folder.append_row(row)
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"images": 3')  # killed while writing
    folder.forget_rows_after(16)
    assert folder.rows() == rows[:2]
    assert (tmp_path / "metrics.jsonl").read_bytes().count(b"\n") == 2


def test_a_value_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        TrialFolder(tmp_path).append_row(MetricsRow(8, 1.0, 0.0, {"loss/pixel": float("nan")}))
    assert TrialFolder(tmp_path).rows() == []


def test_a_failure_keeps_the_progress_and_the_last_line_of_the_error(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.write_state("RUNNING", images=8, seconds=2.0, passes={"vgg": 3})
    folder.write_failure(RuntimeError("Traceback\n  in a worker\nValueError: no memory\n"))
    assert folder.state() == TrialState("FAILED", 8, 2.0, {"vgg": 3}, "ValueError: no memory")
    folder.write_failure(TimeoutError())
    assert folder.state().error == "TimeoutError"


def test_conditions_are_added_one_by_one(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.write_conditions(start_weights="a", device="cpu")
    folder.write_conditions(peak_memory_bytes=5)
    assert folder.conditions() == Conditions(start_weights="a", device="cpu", peak_memory_bytes=5)

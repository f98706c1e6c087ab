"""What is refused before anything is read."""

from pathlib import Path
from typing import Any

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.reenact.options import ReenactOptions, check_out, chosen_arms
from tests.facegan.study.planted_study import make_study


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"height": 63}, "--height is 63: an even number from 64 to 2160"),
        ({"height": 101}, "--height is 101"),
        ({"rate": 0.5}, "--rate is 0.5: from 1 to 240"),
        ({"rate": float("nan")}, "--rate is nan"),
        ({"frames": -1}, "--frames is -1: at least 0"),
        ({"landmark_weights": "here"}, "--landmark_weights is for --landmarks face-alignment, not auto"),
    ],
)
def test_a_value_out_of_range_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=f"^{text}"):
        ReenactOptions(**wrong)


def test_landmarks_are_from_files_or_a_detector() -> None:
    found = {
        name: (o.annotated, o.detector) for name in ("auto", "annotations", "dlib") for o in [ReenactOptions(landmarks=name)]
    }
    assert found == {"auto": (None, "dlib"), "annotations": (True, "dlib"), "dlib": (False, "dlib")}
    assert ReenactOptions(landmarks="face-alignment", landmark_weights="w").detector == "face-alignment"


def test_a_video_that_exists_is_not_written_over_unasked(tmp_path: Path) -> None:
    out = tmp_path / "video.mp4"
    check_out(out, replace=False)
    (tmp_path / "video.provenance.json").write_text("{}")
    with pytest.raises(UserError, match=r"video.provenance.json exists; name another file, or give --replace True"):
        check_out(out, replace=False)
    check_out(out, replace=True)
    for wrong, text in (("video.avi", "ends in .mp4"), ("nowhere/video.mp4", "its folder does not exist")):
        with pytest.raises(UserError, match=text):
            check_out(tmp_path / wrong, replace=True)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_out(tmp_path / "folder.mp4", replace=True)


def test_arms_are_chosen_by_name_or_label(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    shown = {trial.arm: trial for trial in plan.trials if trial.arm != "no_feature"}
    every = [arm.name for arm, _ in chosen_arms(plan, shown, ())]
    assert every == [arm.name for arm in plan.arms if arm.name != "no_feature"]
    assert [arm.name for arm, trial in chosen_arms(plan, shown, ("-Pixel", "full"))] == ["no_pixel", "full"], "the plan's order"
    with pytest.raises(UserError, match="--arms has 'no_pixl': did you mean 'no_pixel'"):
        chosen_arms(plan, shown, ("no_pixl",))
    with pytest.raises(UserError, match="--arms has '-Feature': none of its runs has a checkpoint yet"):
        chosen_arms(plan, shown, ("-Feature",))
    with pytest.raises(UserError, match=r"no run of the study has a checkpoint yet; let jobs/ablate.py"):
        chosen_arms(plan, {}, ())

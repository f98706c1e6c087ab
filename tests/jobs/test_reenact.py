"""A video of a study's arms from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.reenact.options import ReenactOptions
from jobs.reenact import Reenact, main
from tests.facegan.reenact.clips import read_pictures, write_annotated_clip
from tests.live_study import live_study

pytestmark = pytest.mark.slow  # it loads torch and the evaluators in a process of its own
ROOT = Path(__file__).parents[2]
FRAMES = 7
TITLE, HEIGHT, GAP = 28, 128, 4


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    job = [sys.executable, str(ROOT / "jobs" / "reenact.py"), *arguments]
    return subprocess.run(job, cwd=folder, capture_output=True, text=True, timeout=300)


def test_a_clip_moves_a_photo_in_a_column_for_each_arm(data_folder: Path, tiny: Config, tmp_path: Path) -> None:
    plan = live_study(tmp_path / "study", tiny, data_folder)
    person = write_annotated_clip(tmp_path / "person", 7, 2)
    driving = write_annotated_clip(tmp_path / "driving", 8, FRAMES, without=(4,))
    done = run(
        tmp_path, "study", "--source", str(person), "--driving", str(driving), "--out", "video.mp4", "--height", str(HEIGHT)
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    pictures = read_pictures(tmp_path / "video.mp4")
    width = HEIGHT * 5 // 4
    assert len(pictures) == FRAMES and pictures[0].shape == (HEIGHT + TITLE, 5 * width + 4 * GAP, 3)
    columns = [[p[TITLE:, i * (width + GAP) : i * (width + GAP) + width].astype(int) for p in pictures] for i in range(5)]
    changes = [np.abs(frames[0] - frames[-1]).mean() for frames in columns]
    assert changes[0] < 1 < changes[1] and min(changes[2:]) > 0.2, "the source stands still, what is drawn follows"
    assert all(frames[0][-7:-3, 4:20].mean() < 60 for frames in columns[2:]), "the mark"

    rows = pq.read_table(tmp_path / "video.scores.parquet").to_pylist()
    drawn = [arm.label for arm in plan.arms if arm.label != "-Feature"]
    assert [(row["frame"], row["arm"]) for row in rows] == [(n, arm) for n in range(1, FRAMES + 1) for arm in drawn]
    assert {row["frame"] for row in rows if row["state"] == "held"} == {4}
    provenance = json.loads((tmp_path / "video.provenance.json").read_text())
    assert provenance["assertions"][1]["data"]["hash"] == file_sha256(tmp_path / "video.mp4")
    assert provenance["assertions"][2]["data"]["frames"] == {"drawn": FRAMES - 1, "held": 1, "not_in_the_video": 0}
    with av.open(str(tmp_path / "video.mp4")) as container:
        assert plan.id() in container.metadata["comment"] and container.streams.video[0].average_rate == 25
    lines = done.stdout.splitlines()
    assert "         not drawn: -Feature" in lines and "         held: 1 x annotation missing" in lines
    assert f"video    video.mp4: {FRAMES} frames = {FRAMES - 1} drawn + 1 held; no sound" in lines
    assert [line.split("  ")[0] for line in lines if line.startswith(("source copied", *drawn))] == ["source copied", *drawn]
    assert any(line.startswith("video    100%  7/7 frames") for line in lines)


def test_without_files_a_rendered_person_moves_another(
    data_folder: Path, tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run is refused before anything is drawn."""
    live_study(tmp_path / "study", tiny, data_folder)
    monkeypatch.chdir(tmp_path)
    asked = Reenact(study="study", arms=("full",), options=ReenactOptions(frames=3, height=64, paste=False))
    main(asked)
    assert len(read_pictures(Path("reenactment.mp4"))) == 3
    written = capsys.readouterr().out
    assert "(SYNTHETIC)" in written and "real people" not in written
    before = os.stat("reenactment.mp4").st_mtime_ns
    with pytest.raises(UserError, match=r"reenactment.mp4 exists; name another file, or give --replace True"):
        main(asked)
    assert os.stat("reenactment.mp4").st_mtime_ns == before


def test_a_mistake_is_one_line_and_leaves_nothing(data_folder: Path, tiny: Config, tmp_path: Path) -> None:
    live_study(tmp_path / "study", tiny, data_folder)
    before = {path.name for path in tmp_path.iterdir()}
    for arguments, text in (
        (["study", "--arms", "no_pixl"], "did you mean 'no_pixel'"),
        (["study", "--driving", "nowhere.mp4"], "--driving is 'nowhere.mp4': no such file or folder"),
        (["study", "--source", "study/plan.json"], "not a file that can be read here"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 2 and done.stderr.startswith("reenact.py: ") and done.stderr.count("\n") == 1
        assert text in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before

"""A video of a study's arms from the command line."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from cluster.cli.command_line import run_job
from cluster.storage.uri import StorageURI
from cluster.studies.trial_store import TrialStore
from facegan.config import Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.landmarks.dlib_finder import dlib_finder
from facegan.reenact.inputs import RENDERED, Landmarks
from facegan.reenact.options import ReenactOptions
from facegan.reenact.source import read_source
from facegan.study.folder.trial_folder import trial_folder
from jobs.reenact import Reenact, main
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.facegan.reenact.clips import read_pictures, write_annotated_clip
from tests.live_study import live_study
from tests.serving import mocked_aws

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
    main(dataclasses.replace(asked, replace=True, options=dataclasses.replace(asked.options, frames=2, mark=False)))
    assert len(read_pictures(Path("reenactment.mp4"))) == 2
    provenance = json.loads(Path("reenactment.provenance.json").read_text())
    assert provenance["assertions"][1]["data"]["hash"] == file_sha256(Path("reenactment.mp4"))
    assert provenance["assertions"][2]["data"]["visible_mark"] is False


@pytest.mark.s3
def test_a_study_in_a_bucket_is_drawn_from_its_checkpoints(
    data_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The crops are those of the study's copy of the manifest, so that the data set is not asked for."""
    study, uri = tmp_path / "study", StorageURI("s3://reenact/studies/one")
    plan = live_study(study, tiny, data_folder)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    with mocked_aws() as server, s3_environment(server):
        s3_client().create_bucket(Bucket="reenact")
        uri.write("plan.json", (study / "plan.json").read_bytes())
        ingest = json.loads(next(data_folder.glob("manifest-*.json")).read_text())["ingest"]
        uri.write("manifest.json", json.dumps({"ingest": ingest | {"crop_scale": 1.5}}).encode())
        for trial in plan.trials:
            folder = trial_folder(study, trial)
            if folder.checkpoint.exists():
                TrialStore(uri, folder).publish(now=True)
        main(Reenact(study=uri.uri, out=tmp_path / "video.mp4", options=ReenactOptions(frames=2, height=64)))
    assert len(read_pictures(tmp_path / "video.mp4")) == 2
    narrow = read_source(RENDERED, IngestConfig(size=32, crop_scale=1.5), Landmarks(True, dlib_finder), 25)
    assert f"crop of {narrow.crop.box[2]} pixels" in capsys.readouterr().out
    source = json.loads((tmp_path / "video.provenance.json").read_text())["assertions"][2]["data"]
    assert [arm["label"] for arm in source["arms"]] == ["-Cons.", "-Pixel", "Full"]


def test_a_mistake_is_one_line_and_leaves_nothing(
    data_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live_study(tmp_path / "study", tiny, data_folder)
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    for arguments, text in (
        (["study", "--arms", "no_pixl"], "did you mean 'no_pixel'"),
        (["study", "--driving", "nowhere.mp4"], "--driving is 'nowhere.mp4': no such file or folder"),
        (["study", "--source", "study/plan.json"], "not a file that can be read here"),
    ):
        monkeypatch.setattr(sys, "argv", ["reenact.py", *arguments])
        with pytest.raises(SystemExit) as end:
            run_job(main, Reenact, "a job")
        error = capsys.readouterr().err
        assert end.value.code == 2 and error.startswith("reenact.py: ") and error.count("\n") == 1
        assert text in error
    assert {path.name for path in tmp_path.iterdir()} == before

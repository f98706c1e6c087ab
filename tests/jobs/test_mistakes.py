"""Mistakes of users: one line that names the cause and the cure, exit code 2, before Ray starts, and no file written."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray

from cluster.cli.command_line import parse, run_job
from facegan.config import Config
from facegan.data.ingest.sources import fingerprint, found_in
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import make_plan
from facegan.study.folder.study_folder import open_study
from jobs import ablate, compare, evaluate, ingest, search, train
from tests.planning import PLANNED_DATA

ROOT = Path(__file__).parent.parent.parent
MANIFEST = "manifest-000001.json"

JOBS: dict[str, tuple[Any, Any]] = {
    "ablate": (ablate.main, ablate.Ablate),
    "compare": (compare.main, compare.Compare),
    "evaluate": (evaluate.main, evaluate.Evaluate),
    "ingest": (ingest.main, ingest.Ingest),
    "search": (search.main, search.Search),
    "train": (train.main, train.Train),
}


def error_of(job: str, *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The error line of a job; asserts that it is one line, that the exit code is 2 and that Ray has not started."""
    monkeypatch.setattr(sys, "argv", [f"{job}.py", *arguments])
    main, kind = JOBS[job]
    with pytest.raises(SystemExit) as end:
        run_job(main, kind, "a job")
    assert end.value.code == 2
    assert not ray.is_initialized()
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize(
    ("job", "arguments", "text"),
    [
        ("ablate", ["--source", "nowhere"], "nowhere': no such folder"),
        ("ablate", ["--source", "."], "holds no clip"),
        ("ablate", ["--data", "nowhere"], "nowhere': no data set"),
        ("ablate", ["--data", "gs://bucket/faces"], "allowed are a folder, file:///folder and s3://bucket/prefix"),
        ("ablate", ["--cpus_per_trial", "0"], "--cpus_per_trial is 0.0"),
        ("ablate", ["--gpus_per_trial", "nan"], "--gpus_per_trial is nan"),
        ("ablate", ["--arms", "no_pixels"], "did you mean 'no_pixel'"),
        ("ablate", ["--design", "figure3"], "did you mean 'figure2'"),
        ("ablate", ["--design", "loo", "--factors", "pixl"], "did you mean 'pixel'"),
        ("ablate", ["--design", "factorial", "--factors", "pixel", "pixel_space"], "both switch pixel"),
        ("ablate", ["--design", "fraction"], "half or quarter"),
        ("ablate", ["--extend", "fold-over"], "only a whole fraction can be folded over"),
        ("ablate", ["--extend", "fold-over", "--arms", "full"], "leave --arms out"),
        ("ablate", ["--loss.pixel", "0"], "switches pixel, which is off"),
        ("ablate", ["--preset", "demmo"], "did you mean 'demo'"),
        ("ablate", ["--loss.pixl", "1"], "--loss.pixel"),
        ("ablate", ["--loss.pixel", "-1"], "loss.pixel is -1.0: a weight is from 1e-12 to 1e+38, or 0"),
        ("ablate", ["--loss.pixel", "much"], "'much'"),
        ("ablate", ["--images", "100"], "images is 100: a multiple of optim.batch (8)"),
        ("ablate", ["--seeds", "0", "0"], "different whole numbers"),
        ("ablate", ["--seed", "3"], "--seeds 3"),
        ("ablate", ["--runs_together", "0"], "--runs_together is 0: at least 1"),
        ("ablate", ["--runs_together", "2", "--budget", "seconds", "--seconds", "9"], "and --budget is seconds: each run"),
        ("ablate", ["--budget", "steps"], "Expected one of ('images', 'flops', 'seconds')"),
        ("ablate", ["--budget", "seconds"], "--seconds is missing"),
        ("ablate", ["--seconds", "60"], "nothing with --budget images"),
        ("ablate", ["--budget", "seconds", "--seconds", "-1"], "--seconds is -1: above 0"),
        ("ablate", ["--budget", "seconds", "--seconds", "9", "--images", "1600"], "--images is 1600: with --budget seconds"),
        (
            "ablate",
            ["--budget", "seconds", "--seconds", "9", "--gpus_per_trial", "0.5"],
            "runs that share a GPU slow each other down",
        ),
        ("ablate", ["--vgg.width", "64", "--vgg.weights", "nowhere.pth"], "vgg.weights is 'nowhere.pth': no such file"),
        ("ablate", ["--synthetic.people", "0"], "synthetic.people is 0"),
        ("ablate", ["--model.maps", "lines"], "Expected one of ('points', 'parts')"),
        ("ablate", ["--ingest.crop_smoothing", "11"], "--ingest.crop_smoothing is 11.0: between 0 and 10 frames"),
        ("ablate", ["--ingest.max_quarantined", "2"], "--ingest.max_quarantined is 2.0"),
        ("ablate", ["--ingest.landmark_weights", "gs://x/y"], "--ingest.landmark_weights is 'gs://x/y': allowed are"),
        ("ablate", ["--data", "x", "--ingest.crop_scale", "3"], "no clips are ingested; leave --ingest... out"),
        ("ablate", ["--crop_smoothing", "0"], "--ingest.crop_smoothing"),
        ("compare", [], "--change is missing"),
        ("compare", ["--change", "loss.pixl=5"], "did you mean 'loss.pixel'?"),
        ("compare", ["--change", "loss.pixel=5", "--max_seeds", "2"], "--max_seeds is 2: at least 3"),
        ("compare", ["--change", "loss.pixel=5", "--max_seeds", "10"], "share them; give at most 3 neighbouring seeds"),
        ("compare", ["--change", "loss.pixel=5", "--margin", "ssim=0.1"], "--margin has 'ssim=0.1'"),
        ("compare", ["--change", "loss.pixel=5", "--seed", "3"], "--seed is 3: this job trains the seeds 0, 1, 2"),
        ("compare", ["--change", "model.head=colour"], "give --start random"),
        ("search", ["--candidates", "1"], "--candidates is 1: from 2"),
        ("search", ["--data.validation_fraction", "0"], "hold some out"),
        ("train", ["--workers", "3"], "a divisor of optim.batch (8)"),
        ("train", ["--silent_seconds", "0"], "--silent_seconds is 0: at least 1"),
        ("evaluate", [], "--checkpoint is missing"),
        ("evaluate", ["--checkpoint", "nowhere"], "nowhere': no such folder"),
        ("evaluate", ["--checkpoint", "."], "is no checkpoint"),
        ("evaluate", ["--checkpoint", "x", "--evaluators.identity", "facenet"], "--evaluators.identity is 'facenet'"),
        ("evaluate", ["--checkpoint", "x", "--evaluators.landmarks", "mediapipe"], "face-alignment"),
        ("evaluate", ["--checkpoint", "x", "--pairs_per_clip", "0"], "--pairs_per_clip is 0"),
        ("evaluate", ["--checkpoint", "x", "--sequence_frames", "1"], "--sequence_frames is 1"),
        ("ingest", [], "--source is missing"),
        ("ingest", ["--source", "nowhere", "--data", "x"], "no such folder"),
        ("ingest", ["--verify", "True"], "--data is missing"),
        ("ingest", ["--verify", "True", "--data", "nowhere"], "nowhere': no data set"),
        ("ingest", ["--verify", "True", "--data", "y", "--source", "x"], "--verify True works on --data alone: leave"),
        ("ingest", ["--remove", "001"], "--data is missing"),
        ("ingest", ["--remove", "001", "--data", "nowhere"], "nowhere': no data set"),
        ("ingest", ["--remove", "001", "--data", "y", "--verify", "True"], "--verify True works on --data alone: leave"),
        ("ingest", ["--remove", "001", "--data", "y", "--repair", "True"], "works on --data alone: leave --repair True out"),
        ("ingest", ["--source", "x", "--data", "y", "--max_quarantined", "2"], "--max_quarantined is 2.0"),
        ("ingest", ["--source", "x", "--data", "y", "--crop_smoothing", "-1"], "crop_smoothing is -1.0"),
        ("ingest", ["--source", "x", "--data", "y", "--landmarks", "mediapipe"], "face-alignment"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(
    job: str,
    arguments: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert text in error_of(job, *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--data", "f\udcffx"], ["--source", "f\udcffx", "--data", "faces"]])
def test_a_name_that_is_not_utf_8_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ray, which takes the whole command line, ends in a traceback."""
    answer = error_of("ingest", *arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert answer == "ingest.py: f\\xffx: it is not UTF-8, which Ray and object storage need; rename it\n"


@pytest.fixture
def ablate_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: error_of("ablate", *arguments, monkeypatch=monkeypatch, capsys=capsys)


def test_a_data_set_of_another_schema_is_refused(ablate_error, data_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = shutil.copytree(data_folder, tmp_path / "set")
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"schema_version": 0}))
    assert "made with schema 0, this program reads 5" in ablate_error(
        "--data", str(folder), "--start", "random", "--data.size", "32"
    )


def test_a_data_set_of_another_size_is_refused(ablate_error, data_folder: Path) -> None:  # type: ignore[no-untyped-def]
    assert "images of 32 pixels, data.size is 64" in ablate_error("--data", str(data_folder))


def test_a_data_set_made_in_another_way_is_refused(ablate_error, data_folder: Path, clips: Path) -> None:  # type: ignore[no-untyped-def]
    assert "ingested in another way (size 32 there, 64 here; crop_smoothing 0.0 there, 10.0 here)" in ablate_error(
        "--source", str(clips), "--data", str(data_folder)
    )


def test_too_many_bad_frames_name_the_flag_that_allows_them(ablate_error, clips: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The flags of this job are not those of jobs/ingest.py."""
    source = shutil.copytree(clips, tmp_path / "source")
    for clip in ("1101", "1102", "1103"):
        (source / clip).mkdir()
    allows = "3 of 10 clips are refused, more than --ingest.max_quarantined 0.2 allows"
    assert allows in ablate_error("--source", str(source), "--data", "set")
    args = parse(ablate.Ablate, "", ["--ingest.max_quarantined", "0.5", "--ingest.landmarks", "dlib", "--data.size", "64"])
    request = args.shared.ingest.request(args.shared.config.data.size)
    assert (request.max_quarantined, request.config.landmarks, request.config.size) == (0.5, "dlib", 64)
    assert request.config.crop_smoothing == 10


def test_a_study_of_another_plan_is_refused(ablate_error, data_folder: Path, tiny: Config, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arms = choose_design("figure2", Config()).arms
    other = make_plan(tiny, arms, design="figure2", preset="demo", seeds=[7], data=PLANNED_DATA, commit="")
    open_study(tmp_path / "study", other)
    answer = ablate_error("--data", str(data_folder), "--start", "random", "--data.size", "32", "--study", "study")
    assert f"it belongs to another plan ({other.id()}" in answer


@pytest.mark.parametrize("content", ["{", "[]", '{"id'])
def test_a_damaged_plan_is_refused(ablate_error, data_folder: Path, tmp_path: Path, content: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "plan.json").write_text(content)
    assert "plan.json is damaged" in ablate_error(
        "--data", str(data_folder), "--start", "random", "--data.size", "32", "--study", "study"
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 5}'])
def test_a_damaged_manifest_is_refused(ablate_error, tmp_path: Path, content: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / MANIFEST).write_text(content)
    assert f"make a new version with jobs/ingest.py --data {tmp_path / 'set'} --source CLIPS --repair True" in ablate_error(
        "--data", "set"
    )


def test_a_file_where_a_data_set_should_be_is_refused(ablate_error, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "set").write_text("")
    assert "is a file; name a folder" in ablate_error("--data", "set")


@pytest.mark.parametrize(
    ("split", "text"),
    [
        ('{"train": ["1001", "1002"]}', "it has no test clip"),
        ('{"Train": ["1001", "1002"]}', "did you mean 'train'"),
        ('{"train": ["1001", "1002"], "test": ["1001"]}', "names 1001 twice: a clip"),
        ('{"train": 3}', "correct or remove it"),
    ],
)
def test_a_wrong_split_file_is_refused(ablate_error, clips: Path, tmp_path: Path, split: str, text: str) -> None:  # type: ignore[no-untyped-def]
    for clip in ("1001", "1002"):
        shutil.copytree(clips / clip, tmp_path / "source" / clip)
    (tmp_path / "source" / "split.json").write_text(split)
    assert text in ablate_error("--source", "source")


def test_the_fingerprint_of_clips_changes_with_an_annotation(clips: Path, tmp_path: Path) -> None:
    source = shutil.copytree(clips, tmp_path / "source")
    before = fingerprint(found_in(source))
    assert fingerprint(found_in(source)) == before
    (source / "1001" / "annot" / "000001.pts").write_text("corrected")
    assert fingerprint(found_in(source)) != before


def test_a_folder_that_is_no_study_is_refused(ablate_error, data_folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "thesis.txt").write_text("mine")
    assert "a folder that contains other files" in ablate_error(
        "--data", str(data_folder), "--start", "random", "--data.size", "32", "--study", "."
    )


def test_flags_are_named_like_the_fields_of_the_configuration() -> None:
    args = parse(ablate.Ablate, "", ["--preset", "hour", "--loss.triple_consistency", "3", "--seeds", "1", "2"])
    assert args.shared.config.loss.triple_consistency == 3
    assert args.shared.config.data.size == 64
    assert args.seeds == ("1", "2")


def test_the_preset_flag_may_come_after_others() -> None:
    assert parse(train.Train, "", ["--loss.pixel", "1", "--preset=poster"]).shared.config.model.generator_width == 64
    with pytest.raises(UserError):
        parse(train.Train, "", ["--preset"])


@pytest.mark.slow
def test_the_script_exits_with_code_2() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "ablate.py"), "--source", "/nowhere"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.startswith("ablate.py: --source is '/nowhere': no such folder; give one in the 300VW layout")
    assert run.stderr.count("\n") == 1

"""A study on S3, killed and run again: the results of an uninterrupted one in a folder. All locations are s3:// URIs."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.datasets.dataset import planned_data
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.records import parse_record
from facegan.study.folder.study_folder import read_plan
from facegan.study.search.results import SEARCH, SearchResult
from facegan.trial import TrialRun, run_trial
from jobs.status import Status
from jobs.status import main as print_status
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.serving import mocked_aws

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.slow]
STUDY = StorageURI("s3://lab/studies/one")
MORE = ["--source", "s3://lab/clips", "--data", "s3://lab/set", "--study", STUDY.uri, "--arms", "full"]
LENGTH = ["--images", "320", "--checkpoint_every", "32"]


@pytest.fixture
def bucket(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An S3 server that holds the clips, and an empty cache."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    with mocked_aws() as url, s3_environment(url):
        s3_client().create_bucket(Bucket="lab")
        for path in (p for p in clips.rglob("*") if p.is_file()):
            StorageURI("s3://lab/clips").write(path.relative_to(clips).as_posix(), path.read_bytes())
        yield


def reproducible_results(files: dict[str, bytes]) -> dict[str, Any]:
    """Metrics, scores and names of samples, without values that depend on the clock."""
    rows = [json.loads(line) for line in files["metrics.jsonl"].splitlines()]
    kept = [(row["images"], {k: v for k, v in row["metrics"].items() if k != "images_per_second"}) for row in rows]
    return {"rows": kept, "scores": json.loads(files["scores.json"]), "samples": sorted(n for n in files if n.endswith("png"))}


def objects(place: StorageURI, prefix: str) -> dict[str, bytes]:
    """Contents of the objects under a prefix, by their names without it."""
    return {entry.key.removeprefix(prefix): place.read(entry.key) for entry in place.entries(prefix)}


def kill_after_a_checkpoint(jobs: Any) -> None:
    """Start the study and kill its driver once a checkpoint is in the bucket."""
    log, command = jobs.folder / "killed.log", jobs.command("ablate", *MORE, *LENGTH)
    with log.open("w") as sink:
        driver = subprocess.Popen(command, cwd=jobs.folder, env=jobs.environment(), stdout=sink, stderr=sink)
    deadline = time.monotonic() + 600
    while not [e for e in STUDY.entries("trials/") if e.key.endswith("checkpoint.tar")]:
        if driver.poll() is not None or time.monotonic() > deadline:
            driver.kill()
            raise AssertionError(f"no checkpoint before it ended or in 600 s: {log.read_text()[-2000:]}")
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait(60)


def test_a_killed_study_on_s3_has_the_results_of_an_uninterrupted_one(
    bucket: None, jobs_in: Callable[..., Any], tmp_path: Path
) -> None:
    """A second seed is added by the command that resumes it."""
    jobs = jobs_in(tmp_path / "here", cpus=1)
    jobs.folder.mkdir()
    kill_after_a_checkpoint(jobs)
    states = [json.loads(STUDY.read(e.key))["state"] for e in STUDY.entries("trials/") if e.key.endswith("/state.json")]
    assert states == ["RUNNING"]
    (rows,) = [STUDY.read(e.key) for e in STUDY.entries("trials/") if e.key.endswith("/metrics.jsonl")]
    output = jobs.run("ablate", *MORE, *LENGTH, "--seeds", "0", "1")
    assert "report   s3://lab/studies/one/report.html" in output
    assert {"plan.json", "summary.json", "report.html", "figure2.png", "references.json"} <= set(objects(STUDY, ""))
    summary = json.loads(STUDY.read("summary.json"))
    assert [change["what"] for change in summary["study"]["analysis"]["changes"]] == ["seed 1 added"]
    trial, added = summary["trials"]
    assert [(found["seed"], found["state"]) for found in (trial, added)] == [(0, "COMPLETED"), (1, "COMPLETED")]
    plan = read_plan(StudyStore(STUDY).folder)
    whole = StudyStore(StorageURI(str(tmp_path / "whole")))
    with whole.trial(trial["key"]) as alone:
        run_trial(TrialRun(plan.trials[0].config, alone), planned_data(plan).open(), torch.device("cpu"), lambda metrics: None)
        root = alone.folder.path
        files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    # A run from the start would have written the first rows again, with other times.
    upto_checkpoint = [row for row in rows.splitlines() if json.loads(row)["images"] <= 32]
    assert STUDY.read(f"trials/{trial['key']}/metrics.jsonl").splitlines()[:4] == upto_checkpoint
    assert reproducible_results(objects(STUDY, f"trials/{trial['key']}/")) == reproducible_results(files)


def test_a_search_on_s3_ends_at_its_limit_with_finalists(
    bucket: None, jobs_in: Callable[..., Any], data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first limit is too small, and says which one would do; with that one not all candidates are begun."""
    jobs = jobs_in(tmp_path / "here", cpus=1)
    jobs.folder.mkdir()
    for path in (p for p in data_folder.rglob("*") if p.is_file()):
        StorageURI("s3://lab/set").write(path.relative_to(data_folder).as_posix(), path.read_bytes())
    search = [*MORE[2:], "--images", "72", "--candidates", "200", "--seeds", "1", "--probe_seconds", "1"]
    command = jobs.command("search", *search, "--max_hours", "0.001")
    done = subprocess.run(command, cwd=jobs.folder, env=jobs.environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()[-1:]) == 1, done.stderr[-2000:]
    enough = done.stderr.rpartition("give --max_hours ")[2].split(",")[0]
    limit = ["--max_hours", enough]
    output = jobs.run("search", *search, *limit)
    candidates = StorageURI(f"{STUDY.uri}-candidates")
    found = parse_record(SearchResult, candidates.read(SEARCH), SEARCH, "")
    assert found == parse_record(SearchResult, STUDY.read(SEARCH), SEARCH, "") and found.spent.limit == " ".join(limit)
    (arm,) = found.arms
    (finalist,) = [candidate for candidate in arm.candidates if candidate.is_finalist]
    assert (finalist.state, finalist.images) == ("COMPLETED", 72)
    # So many that not all of them can begin on a machine that is several times as fast.
    assert len(arm.candidates) == 200 and "PENDING" in {candidate.state for candidate in arm.candidates}
    assert f"It ended at its limit, {' '.join(limit)}: " in output and "of 200 candidates were begun" in output
    summary = json.loads(STUDY.read("summary.json"))
    assert {trial["state"] for trial in summary["trials"]} == {"COMPLETED"} and not summary["cost"]["missing"]
    assert "of 200 candidates were begun" in STUDY.read("report.html").decode()

    # The bucket alone says where it is; and the same command trains nothing, also with a higher limit.
    capsys.readouterr()
    print_status(Status(study=candidates.uri, json=True))
    status = json.loads(capsys.readouterr().out)
    assert status["search"]["arms"][0]["candidates"][finalist.number]["is_finalist"]
    before = {entry.key: entry.tag for place in (candidates, STUDY) for entry in place.entries("trials/")}
    jobs.run("search", *search, "--max_hours", "9")
    assert before == {entry.key: entry.tag for place in (candidates, STUDY) for entry in place.entries("trials/")}


def test_a_prefix_with_other_objects_is_refused(bucket: None, jobs_in: Callable[[Path], Any], tmp_path: Path) -> None:
    command = jobs_in(tmp_path).command("ablate", "--study", "s3://lab/clips")
    done = subprocess.run(
        command, cwd=tmp_path, env=jobs_in(tmp_path).environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 2
    assert "a prefix with other objects under it" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

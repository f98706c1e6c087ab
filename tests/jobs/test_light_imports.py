"""Help and refusals answer within two seconds of CPU time: they import neither Ray, torch nor the tracker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__")
pytestmark = pytest.mark.slow  # one process per case
HEAVY = ["ray", "torch", "mlflow", "boto3", "matplotlib"]
LIMIT_SECONDS = 2.0
TRIES = 2
"""The least time of several runs counts, because other work on the machine can only add to it."""

RUN = f"""
import atexit, runpy, sys
atexit.register(lambda: print("HEAVY", *[name for name in {HEAVY} if name in sys.modules]))
job, sys.argv = sys.argv[1], sys.argv[1:]
sys.path[0] = job.rpartition("/")[0]  # as `python jobs/<job>.py` does
runpy.run_path(job, run_name="__main__")
"""

REFUSALS = {
    "unknown flag": [(job, ["--nonsense", "1"], "nonsense") for job in JOBS],
    "missing folder or file": [
        ("ablate", ["--source", "nowhere"], "no such folder"),
        ("ablate", ["--data", "nowhere"], "no data set"),
        ("ablate", ["--vgg.width", "64", "--vgg.weights", "nowhere.pth"], "no such file"),
        ("ablate", ["--preset", "poster", "--budget", "flops", "--source", "nowhere"], "no such folder"),
        ("compare", ["--change", "loss.pixel=5", "--source", "nowhere"], "no such folder"),
        ("search", ["--source", "nowhere"], "no such folder"),
        ("train", ["--source", "nowhere"], "no such folder"),
        ("describe", ["--data", "nowhere"], "no data set"),
        ("evaluate", ["--checkpoint", "nowhere"], "no such folder"),
        ("evaluate", ["--checkpoint", "."], "is no checkpoint"),
        ("evaluate", ["--checkpoint", ".", "--data", "nowhere"], "no data set"),
        ("evaluate", ["--checkpoint", ".", "--evaluators.kid_weights", "nowhere.pth"], "no such file"),
        ("ingest", ["--source", "nowhere", "--data", "data"], "no such folder"),
        ("ingest", ["--source", ".", "--data", "data"], "holds no clip"),
        ("reenact", ["nowhere"], "no study"),
        ("reenact", ["x", "--driving", "nowhere.mp4"], "no such file or folder"),
        ("report", ["nowhere"], "no study"),
        ("serve", ["nowhere"], "no study"),
        ("status", ["nowhere"], "no study"),
        ("warm_up", ["--out", "nowhere"], "no such folder"),
    ],
    "bad value": [
        ("ablate", ["--design", "figure3"], "did you mean 'figure2'"),
        ("ablate", ["--budget", "seconds"], "--seconds is missing"),
        ("ablate", ["--loss.pixel", "-1"], "loss.pixel is -1.0"),
        ("ablate", ["--cpus_per_trial", "0"], "--cpus_per_trial is 0.0"),
        ("compare", ["--change", "loss.pixl=5"], "did you mean 'loss.pixel'"),
        ("search", ["--candidates", "1"], "--candidates is 1: from 2"),
        ("train", ["--workers", "3"], "a divisor of optim.batch"),
        ("describe", ["--data", "x", "--people", "0"], "--people is 0"),
        ("doctor", ["--storage", "gs://bucket"], "allowed are a folder"),
        ("evaluate", [], "--checkpoint is missing"),
        ("evaluate", ["--checkpoint", "x", "--pairs_per_clip", "0"], "--pairs_per_clip is 0"),
        ("ingest", ["--source", "x", "--data", "y", "--max_quarantined", "2"], "--max_quarantined is 2.0"),
        ("reenact", [], "the study is missing"),
        ("reenact", ["x", "--height", "63"], "--height is 63"),
        ("reenact", ["x", "--out", "video.avi"], "ends in .mp4"),
        ("report", [], "the study is missing"),
        ("serve", [], "the study is missing"),
        ("serve", ["x", "--port", "70000"], "--port is 70000"),
        ("status", [], "the study is missing"),
        ("status", ["x", "--watch", "-1"], "--watch is -1"),
        ("warm_up", ["--images", "7"], "a multiple of optim.batch"),
    ],
}
CASES = [(job, ["--help"], 0, "usage:") for job in JOBS]
CASES += [(job, arguments, 2, text) for cases in REFUSALS.values() for job, arguments, text in cases]


def run(job: str, arguments: list[str], folder: Path) -> tuple[int, str, float]:
    """Exit code, output and CPU seconds (user and system) of a job in a process of its own."""
    with (folder / "output.txt").open("w+") as output:
        command = [sys.executable, "-c", RUN, str(ROOT / "jobs" / f"{job}.py"), *arguments]
        started = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return started.returncode, output.read(), usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize(("job", "arguments", "code", "text"), CASES)
def test_it_answers_within_two_seconds_without_heavy_imports(
    job: str, arguments: list[str], code: int, text: str, tmp_path: Path
) -> None:
    seconds = []
    for _ in range(TRIES):
        found, output, used = run(job, arguments, tmp_path)
        assert found == code, output
        assert text in " ".join(output.split())
        assert output.splitlines()[-1].split() == ["HEAVY"], "it imported a heavy module"
        seconds.append(used)
        if used < LIMIT_SECONDS:
            break
    assert min(seconds) < LIMIT_SECONDS


def test_every_job_has_a_case_of_a_bad_value_or_a_missing_folder() -> None:
    assert {job for kind in ("missing folder or file", "bad value") for job, _, _ in REFUSALS[kind]} == set(JOBS)


def test_the_measurement_sees_a_heavy_import(tmp_path: Path) -> None:
    script = tmp_path / "heavy.py"
    script.write_text("import torch\n")
    done = subprocess.run([sys.executable, "-c", RUN, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["HEAVY", "torch"]

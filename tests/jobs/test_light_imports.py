"""Help and refusals answer within two seconds of CPU time: they import neither Ray, torch nor the tracker."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent.parent
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__")
pytestmark = pytest.mark.slow  # one process per job
HEAVY = ["ray", "torch", "mlflow", "boto3", "matplotlib"]
LIMIT_SECONDS = 2.0
TRIES = 2
"""The least time of several runs counts, because other work on the machine can only add to it."""

RUN = f"""
import json, os, runpy, sys, time
job, cases = sys.argv[1], json.loads(sys.argv[2])
sys.path[0] = job.rpartition("/")[0]  # as `python jobs/<job>.py` does
runpy.run_path(job, run_name="imported")
imports, found = time.process_time(), []
for arguments in cases:
    with open("output.txt", "w+") as output:
        if not (child := os.fork()):
            os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
            sys.argv, code = [job, *arguments], 0
            try:
                runpy.run_path(job, run_name="__main__")
            except SystemExit as end:
                code = end.code
            heavy = [name for name in {HEAVY} if name in sys.modules]
            print("HEAVY", *heavy, flush=True)
            os._exit(code)
        _, status, usage = os.wait4(child, 0)
        output.seek(0)
        found.append((os.waitstatus_to_exitcode(status), output.read(), imports + usage.ru_utime + usage.ru_stime))
print(json.dumps(found))
"""
"""Answers each case in a fork of a process that has imported what the job imports: that time counts for each of them."""

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


class Answer(NamedTuple):
    """Exit code, output and CPU seconds (user and system) of a job."""

    code: int
    output: str
    seconds: float


def run(script: Path, cases: list[list[str]], folder: Path) -> list[Answer]:
    """The answers of a script to several command lines."""
    command = [sys.executable, "-c", RUN, str(script), json.dumps(cases)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [Answer(*answer) for answer in json.loads(done.stdout)]


Ask = Callable[[str, list[str], int], Answer]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers a case of a job; the first one asks for all cases of the job. Each try asks anew."""

    @cache
    def answers(job: str, turn: int) -> dict[tuple[str, ...], Answer]:
        cases = [arguments for name, arguments, _, _ in CASES if name == job]
        found = run(ROOT / "jobs" / f"{job}.py", cases, tmp_path_factory.mktemp(job))
        return dict(zip(map(tuple, cases), found, strict=True))

    return lambda job, arguments, turn: answers(job, turn)[tuple(arguments)]


@pytest.mark.parametrize(("job", "arguments", "code", "text"), CASES)
def test_it_answers_within_two_seconds_without_heavy_imports(
    job: str, arguments: list[str], code: int, text: str, ask: Ask
) -> None:
    seconds = []
    for turn in range(TRIES):
        found = ask(job, arguments, turn)
        assert found.code == code, found.output
        assert text in " ".join(found.output.split())
        assert found.output.splitlines()[-1].split() == ["HEAVY"], "it imported a heavy module"
        seconds.append(found.seconds)
        if found.seconds < LIMIT_SECONDS:
            break
    assert min(seconds) < LIMIT_SECONDS


def test_every_job_has_a_case_of_a_bad_value_or_a_missing_folder() -> None:
    assert {job for kind in ("missing folder or file", "bad value") for job, _, _ in REFUSALS[kind]} == set(JOBS)


@pytest.mark.parametrize("indent", ["", "if __name__ == '__main__': "])
def test_the_measurement_sees_a_heavy_import(indent: str, tmp_path: Path) -> None:
    script = tmp_path / "heavy.py"
    script.write_text(f"{indent}import torch\n")
    (answer,) = run(script, [[]], tmp_path)
    assert answer.output.split() == ["HEAVY", "torch"] and answer.seconds > 0.5

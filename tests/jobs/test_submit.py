"""`ray job submit -- python jobs/ablate.py` on a cluster started by `ray start --head`."""

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.readme import command
from tests.serving import answers, free_port

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Head:
    """A running head node: its address for jobs, and the environment that a caller needs."""

    address: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def head(jobs_in: Callable[[Path], Any]) -> Iterator[Head]:
    # The path of a Unix socket is limited to about 100 characters, and pytest's temporary folders are too deep.
    scratch = Path(tempfile.mkdtemp(prefix="head"))
    port = free_port()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = jobs_in(scratch).environment() | token | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment['PATH']}"
    url = f"http://127.0.0.1:{port}"
    try:
        with _started(scratch, port, environment) as started:
            if started:
                yield Head(url, environment)
                return
        # Ray gives its processes half a minute to start, which a busy machine may need; start_ray tries twice too.
        with _started(scratch, port, environment) as started:
            assert started, (scratch / "head.log").read_text()[-3000:]
            yield Head(url, environment)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _started(scratch: Path, port: int, environment: dict[str, str]) -> Iterator[bool]:
    """Start a head whose dashboard has this port; whether it did not end before its dashboard answered."""
    start = ["ray", "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={free_port()}", "--num-cpus=1"]
    start += ["--dashboard-host=127.0.0.1", f"--dashboard-port={port}", f"--temp-dir={scratch}"]
    # The agent that accepts jobs has a fixed default port and does not start if another Ray uses it.
    start += [f"--dashboard-agent-listen-port={free_port()}", "--object-store-memory=200000000", "--disable-usage-stats"]
    log = scratch / "head.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(start, cwd=ROOT, env=environment, stdout=sink, stderr=sink, start_new_session=True)
    try:
        yield answers(f"http://127.0.0.1:{port}/api/version", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        with suppress(ProcessLookupError):  # of a start that failed, some processes are left
            os.killpg(process.pid, signal.SIGKILL)


def submit(head: Head, job: list[str], *options: str) -> "subprocess.CompletedProcess[str]":
    """Run `ray job submit`."""
    return run(["ray", "job", "submit", "--address", head.address, *options, "--", *job], head.environment)


def run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command, again while no agent is available: the agent starts later than the dashboard."""
    deadline = time.monotonic() + 120
    while True:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
        if "No available agent" not in done.stdout + done.stderr or time.monotonic() > deadline:
            return done
        time.sleep(2)


def test_the_commands_of_the_readme_run_a_study_to_its_report(
    head: Head, clips: Path, jobs_in: Callable[[Path], Any], tmp_path: Path
) -> None:
    """As in README.md, in a shell that knows nothing of the cluster. Only addresses and sizes differ."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(head.environment["RAY_AUTH_TOKEN"])
    (tmp_path / ".ray" / "auth_token").chmod(0o600)
    environment = {name: value for name, value in head.environment.items() if not name.startswith("RAY_AUTH")}
    smallest = jobs_in(tmp_path).command("ablate")[2:]
    where = command("README.md", "export RAY_AUTH_MODE")
    asked = command("README.md", "ray job submit")
    for old, new in (("http://127.0.0.1:8265", head.address), ("s3://bucket/facegan", str(tmp_path)), (" --gpus 4", "")):
        assert old in where + asked
        where, asked = where.replace(old, new), asked.replace(old, new)
    small = ["--source", str(clips), "--vgg.weights", "random", *smallest, "--arms", "no_consistency", "full"]
    script = f"{where}\n{asked} {shlex.join(small)}"
    done = run(["bash", "-ec", script], environment | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "succeeded" in done.stdout + done.stderr
    assert "joining" in done.stdout
    study = tmp_path / "studies" / "one"
    summary = json.loads((study / "summary.json").read_text())
    assert [t["state"] for t in summary["trials"]] == ["COMPLETED"] * 2
    assert (study / "report.html").exists()
    assert os.path.exists(tmp_path / "studies" / "mlflow.db")


def ray_job(head: Head, *words: str) -> str:
    """Run another subcommand of `ray job`."""
    told = ["ray", "job", *words, "--address", head.address]
    done = subprocess.run(told, env=head.environment, capture_output=True, text=True, timeout=100, check=True)
    return done.stdout + done.stderr


def test_a_job_can_be_listed_stopped_and_continued(
    head: Head, data_folder: Path, jobs_in: Callable[[Path], Any], tmp_path: Path
) -> None:
    """With `--no-wait` the caller disconnects, as a laptop does that goes to sleep."""
    smallest = jobs_in(tmp_path).command("ablate")[2:]
    where = ["--data", str(data_folder), "--study", str(tmp_path / "study")]
    job = ["python", "jobs/ablate.py", *smallest, *where, "--arms", "full", "--images", "800"]
    found = re.search(r"raysubmit_\w+", submit(head, job, "--no-wait").stdout)
    assert found
    wait_until(
        lambda: bool(list((tmp_path / "study").glob("trials/*/checkpoint/state.json"))), lambda: ray_job(head, "logs", found[0])
    )
    assert re.search(rf"{found[0]}.*RUNNING", ray_job(head, "list"), re.DOTALL)

    ray_job(head, "stop", found[0])
    assert "STOPPED" in ray_job(head, "status", found[0]).upper()
    (rows,) = (tmp_path / "study").glob("trials/*/metrics.jsonl")
    wait_until(lambda: is_still(rows), rows.read_text)
    stopped, before = time.time(), read_rows(rows)
    assert before[-1]["images"] < 800

    assert submit(head, job).returncode == 0
    after = read_rows(rows)
    assert [row["images"] for row in after] == list(range(8, 801, 8))
    assert after[0] == before[0], "the job started from the beginning"
    assert after[0]["time"] < stopped < after[-1]["time"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def is_still(path: Path) -> bool:
    """Whether a file stays unchanged for four seconds; a running trial writes many rows per second."""
    size = path.stat().st_size
    time.sleep(4)
    return path.stat().st_size == size


def wait_until(holds: Callable[[], bool], details: Callable[[], str]) -> None:
    deadline = time.monotonic() + 200
    while not holds():
        assert time.monotonic() < deadline, details()[-3000:]
        time.sleep(0.2)

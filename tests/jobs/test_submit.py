"""`ray job submit -- python jobs/ablate.py` against a head started by `ray start --head`, as README.md says."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Head:
    """A running head: where it takes jobs, and the environment that a caller needs."""

    address: str
    environment: dict[str, str]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the head ended"
        try:
            urllib.request.urlopen(f"{address}/api/version", timeout=2)
        except urllib.error.HTTPError:
            return  # it answers, and asks who we are
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the head did not come up")


@pytest.fixture
def head(jobs_in: Callable[[Path], Any]) -> Iterator[Head]:
    # A Unix socket's path is short, so Ray's files cannot lie in pytest's deep folders.
    scratch = Path(tempfile.mkdtemp(prefix="head"))
    port = free_port()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = jobs_in(scratch).environment() | token | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment['PATH']}"
    command = ["ray", "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={free_port()}", "--num-cpus=2"]
    command += ["--dashboard-host=127.0.0.1", f"--dashboard-port={port}", f"--temp-dir={scratch}"]
    # The agent that takes jobs has one default port for all of a machine; where another session holds it, none comes up.
    command += [f"--dashboard-agent-listen-port={free_port()}", "--object-store-memory=200000000", "--disable-usage-stats"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        yield Head(f"http://127.0.0.1:{port}", environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(scratch, ignore_errors=True)


def submit(head: Head, job: list[str]) -> "subprocess.CompletedProcess[str]":
    """`ray job submit`, again while Ray says to try again later: its agent starts after its dashboard answers."""
    deadline = time.monotonic() + 120
    while True:
        done = subprocess.run(
            ["ray", "job", "submit", "--address", head.address, "--", *job],
            cwd=ROOT,
            env=head.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        if "No available agent" not in done.stdout + done.stderr or time.monotonic() > deadline:
            return done
        time.sleep(2)


def test_a_submitted_study_runs_to_its_report(head: Head, clips: Path, jobs_in: Callable[[Path], Any], tmp_path: Path) -> None:
    smallest = jobs_in(tmp_path).command("ablate")[2:]
    where = ["--source", str(clips), "--data", str(tmp_path / "data"), "--study", str(tmp_path / "study")]
    job = ["python", "jobs/ablate.py", *smallest, *where, "--arms", "no_consistency", "full"]
    done = submit(head, job)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "succeeded" in done.stdout + done.stderr
    assert "joining" in done.stdout
    summary = json.loads((tmp_path / "study" / "summary.json").read_text())
    assert [t["state"] for t in summary["trials"]] == ["COMPLETED"] * 2
    assert (tmp_path / "study" / "report.html").exists()
    assert os.path.exists(tmp_path / "mlflow.db")

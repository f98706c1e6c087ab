"""The doctor: a fault planted for each check is named in that check's line, with its cure."""

import http.server
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import cluster.doctor.diagnose
from cluster.cli.command_line import parse
from cluster.doctor import machine, services
from cluster.doctor.check_result import CheckResult
from cluster.doctor.diagnose import diagnose
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from jobs.doctor import Doctor, main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty store, and an environment that names no cluster."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def failed(finding: CheckResult | list[CheckResult], *words: str) -> None:
    """It is one FAIL, on one line, that says these words."""
    assert isinstance(finding, CheckResult)
    assert finding.state == "FAIL", finding
    assert "\n" not in str(finding)
    assert [word for word in words if word not in finding.says] == [], finding


def project(folder: Path, *, python: str = ">=3.11", lock: str = "ray==2.60.0\n", needs: str = "'ray'") -> Path:
    """A folder with a pyproject.toml and a lock."""
    (folder / "pyproject.toml").write_text(f"[project]\nrequires-python = '{python}'\ndependencies = [{needs}]\n")
    (folder / "constraints.txt").write_text(lock)
    return folder


class Clock(http.server.BaseHTTPRequestHandler):
    """Answers everything with 403 and a Date of long ago."""

    def do_HEAD(self) -> None:
        self.send_response_only(403)
        self.send_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        self.end_headers()

    do_GET = do_HEAD


class Health(http.server.BaseHTTPRequestHandler):
    """Says what a dashboard says of its cluster's health."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"success")


@contextmanager
def served(answers: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on loopback."""
    server = http.server.HTTPServer(("127.0.0.1", 0), answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def late() -> Iterator[str]:
    """The URL of a server that lives in 1994 and knows nobody."""
    with served(Clock) as url:
        yield url


@pytest.fixture
def health() -> Iterator[str]:
    """The URL of a dashboard."""
    with served(Health) as url:
        yield url


def test_this_machine_has_what_the_lock_names() -> None:
    assert [machine.python().state, machine.packages().state, machine.video().state] == ["ok"] * 3


def test_another_python(tmp_path: Path) -> None:
    failed(machine.python(project(tmp_path, python=">=4")), "needs >=4", "make setup PYTHON=")


def test_a_package_of_another_version_and_one_that_is_missing(tmp_path: Path) -> None:
    lock = "ray==1.0\nnumpy==0.1\nnot-there==1.0\nnot-needed==1.0\n"
    found = machine.packages(project(tmp_path, lock=lock, needs="'ray[tune]==1', 'Not_There'"))
    failed(found, "ray is 2.", "locked 1.0", "numpy is", "not-there is missing", "make setup")
    assert "not-needed" not in found.says


def test_a_build_of_the_locked_version_is_the_locked_version(tmp_path: Path) -> None:
    version = torch.__version__.split("+")[0]
    assert machine.packages(project(tmp_path, lock=f"torch=={version}\nray==2.60.0\n")).state == "ok"


def test_a_driver_that_torch_cannot_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\nGCC")
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    failed(machine.gpus(), "570.1", "CUDA build", "--gpus all")


def test_no_gpu_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "none")
    found = machine.gpus()
    assert isinstance(found, CheckResult) and found.state == "not checked" and "no NVIDIA driver" in found.says


@pytest.mark.parametrize(("free", "product", "says"), [(1, 64.0, "1.0 of 80.0 GiB free"), (79, 63.0, "computes wrongly")])
def test_a_gpu_that_is_full_or_broken(free: int, product: float, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    monkeypatch.setattr(torch, "ones", lambda *shape, **where: np.full(shape, np.sqrt(product / 64)))
    failed(machine._one_gpu(0), says)


def test_opencv_without_its_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    failed(machine.video(), "cannot be imported", "libgl1 libglib2.0-0")


def test_opencv_that_drops_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(read=lambda: (False, None), release=lambda: None)
    monkeypatch.setattr(cv2, "VideoCapture", lambda path: silent)
    failed(machine.video(), "read 0 of 3 frames")


@pytest.mark.parametrize(("free", "total", "says"), [(1, 100, "at least 10 wanted"), (40, 1000, "Ray stops writing at 95%")])
def test_a_full_disk(free: int, total: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free << 30, total=total << 30))
    failed(machine.cache_disk(), says, "FACEGAN_CACHE")


def test_a_cache_that_may_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", "/proc/cache")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    failed(machine.cache_disk(), "/proc may not be written", "FACEGAN_CACHE")


@pytest.mark.parametrize(("hard", "cure"), [(1_000_000, "ulimit -n"), (1024, "limits.conf")])
def test_few_open_files(hard: int, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, hard))
    failed(machine.open_files(), "1024", cure)


def test_small_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=64 << 20, total=64 << 20))
    failed(machine.shared_memory(), "64 MiB", "--shm-size")


def test_a_port_that_another_program_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_ray_runs", lambda: False)
    monkeypatch.setattr(services, "_PATIENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(services, "_PORTS", {port: "the head's GCS"})
        failed(services.ports(), str(port), "the head's GCS", "ss -ltnp")
        monkeypatch.setattr(services, "_ray_runs", lambda: True)
        assert services.ports().state == "ok"
    assert services.ports().says == f"{port} are free"


def test_a_tunnel_to_a_dashboard_is_no_fault(health: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_ray_runs", lambda: False)
    monkeypatch.setattr(services, "_PORTS", {int(health.rpartition(":")[2]): "its dashboard"})
    assert "leads to Ray's dashboard elsewhere" in services.ports().says


def test_no_token_where_one_is_asked_for(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert services.auth_token().state == "not checked"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    failed(services.auth_token(), "none in RAY_AUTH_TOKEN", "ray get-auth-token --generate")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    failed(services.auth_token(), "RAY_AUTH_MODE is disabled")


@pytest.mark.parametrize(
    ("file", "check"), [(".ray/auth_token", services.auth_token), (".facegan/node.env", services.secret_files)]
)
def test_a_secret_that_others_can_read(nowhere: Path, file: str, check: Callable[[], CheckResult]) -> None:
    path = nowhere / file
    path.parent.mkdir()
    path.write_text("secret")
    path.chmod(0o644)
    failed(check(), "mode 0644", f"chmod 600 {path}")
    path.chmod(0o600)
    assert check().state == "ok"


def test_a_storage_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed(services.storage(str(tmp_path / "file" / "below")), "is a file")


def test_a_storage_that_changes_what_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StorageURI, "read", lambda place, key: b"else")
    failed(services.storage(str(tmp_path)), "something else than what was written")


def test_a_storage_that_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StorageURI, "remove", lambda place, key: None)
    failed(services.storage(str(tmp_path)), "do not use this server")


def test_a_storage_that_works_keeps_nothing(tmp_path: Path) -> None:
    assert services.storage(str(tmp_path)).state == "ok"
    assert StorageURI(str(tmp_path)).entries() == []


def test_a_clock_that_is_off(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", late)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    failed(services.clock("s3://faces"), f"ahead of {late}", "timedatectl set-ntp true")


def test_a_storage_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    failed(services.clock("s3://faces"), "http://127.0.0.1:9 did not answer", "AWS_ENDPOINT_URL")


def test_an_mlflow_that_is_not_there_or_is_something_else(late: str) -> None:
    failed(services.mlflow_server("http://127.0.0.1:9"), "did not answer", "MLFLOW_TRACKING_URI")
    failed(services.mlflow_server(late), "did not answer")
    failed(services.mlflow_server("http://"), "did not answer")


def test_a_check_that_breaks_hides_no_other(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    def broken() -> CheckResult:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(cluster.doctor.diagnose, "packages", broken)
    findings = {finding.subject: finding for finding in diagnose("", "no")}
    failed(findings["packages"], "RuntimeError: first line")
    assert findings["storage"].state == findings["MLflow"].state == "not checked"


def test_a_failure_is_exit_code_1_and_a_wrong_flag_2(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(SystemExit) as end:
        main(Doctor())
    assert end.value.code == 1
    assert "FAIL         Ray token" in capsys.readouterr().out
    with pytest.raises(UserError, match="--storage is"):
        main(Doctor(storage="s3:/faces"))
    with pytest.raises(UserError, match="--storag"):
        parse(Doctor, "", ["--storag", "x"])


@pytest.mark.parametrize("flags", [["--help"], ["--storage", "gs://x"]])
def test_help_and_refused_flags_import_no_large_package(flags: list[str]) -> None:
    code = (
        "import atexit, runpy, sys\n"
        "large = lambda: {'torch', 'ray', 'mlflow', 'boto3', 'cv2'} & set(sys.modules)\n"
        "atexit.register(lambda: print('imported', large()))\n"
        f"sys.argv = ['doctor.py', *{flags}]\n"
        "runpy.run_path('jobs/doctor.py', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == (0 if flags == ["--help"] else 2), done.stderr
    assert done.stdout.splitlines()[-1] == "imported set()"


@pytest.mark.slow
def test_the_script_itself(tmp_path: Path) -> None:
    environment: dict[str, Any] = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "jobs" / "doctor.py")]
    wrong = subprocess.run([*command, "--storage", "gs://x"], env=environment, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    done = subprocess.run([*command, "--storage", str(tmp_path / "x")], env=environment, capture_output=True, text=True)
    assert f"storage      {tmp_path / 'x'} wrote, read and deleted" in done.stdout

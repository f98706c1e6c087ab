"""Each check of the doctor names a planted fault and its fix."""

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
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home folder, and an environment without a cluster."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def failed(result: CheckResult | list[CheckResult], *words: str) -> None:
    """Assert that it is one FAIL, on one line, with these words."""
    assert isinstance(result, CheckResult)
    assert result.state == "FAIL", result
    assert "\n" not in str(result)
    assert [word for word in words if word not in result.message] == [], result


def project(folder: Path, *, python: str = ">=3.11", lock: str = "ray==2.60.0\n", needs: str = "'ray'") -> Path:
    """A folder with a pyproject.toml and a constraints.txt."""
    (folder / "pyproject.toml").write_text(f"[project]\nrequires-python = '{python}'\ndependencies = [{needs}]\n")
    (folder / "constraints.txt").write_text(lock)
    return folder


class Clock(http.server.BaseHTTPRequestHandler):
    """Answers every request with 403 and a Date in 1994."""

    def do_HEAD(self) -> None:
        self.send_response_only(403)
        self.send_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        self.end_headers()

    do_GET = do_HEAD


class Health(http.server.BaseHTTPRequestHandler):
    """Answers as Ray's dashboard does."""

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
    """The URL of a server whose clock is wrong and which refuses every request."""
    with served(Clock) as url:
        yield url


@pytest.fixture
def health() -> Iterator[str]:
    """The URL of a dashboard."""
    with served(Health) as url:
        yield url


def test_this_machine_has_the_locked_packages() -> None:
    assert [machine.python().state, machine.packages().state, machine.video().state] == ["ok"] * 3


def test_another_version_of_python_fails(tmp_path: Path) -> None:
    failed(machine.python(project(tmp_path, python=">=4")), "needs >=4", "make setup PYTHON=")


def test_missing_packages_and_other_versions_fail(tmp_path: Path) -> None:
    lock = "ray==1.0\nnumpy==0.1\nnot-there==1.0\nnot-needed==1.0\n"
    found = machine.packages(project(tmp_path, lock=lock, needs="'ray[tune]==1', 'Not_There'"))
    failed(found, "ray is 2.", "locked 1.0", "numpy is", "not-there is missing", "make setup")
    assert "not-needed" not in found.message


def test_a_local_version_label_may_differ(tmp_path: Path) -> None:
    version = torch.__version__.split("+")[0]
    assert machine.packages(project(tmp_path, lock=f"torch=={version}\nray==2.60.0\n")).state == "ok"


def test_a_driver_that_torch_cannot_use_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1\nGCC")
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "version")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    failed(machine.gpus(), "570.1", "CUDA build", "--gpus all")


def test_without_a_driver_gpus_are_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DRIVER", tmp_path / "none")
    found = machine.gpus()
    assert isinstance(found, CheckResult) and found.state == "not checked" and "no NVIDIA driver" in found.message


@pytest.mark.parametrize(
    ("free", "product", "message"), [(1, 64.0, "1.0 of 80.0 GiB free"), (79, 63.0, "computes wrong results")]
)
def test_a_full_or_broken_gpu_fails(free: int, product: float, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    monkeypatch.setattr(torch, "ones", lambda *shape, **where: np.full(shape, np.sqrt(product / 64)))
    failed(machine._one_gpu(0), message)


def test_opencv_without_its_libraries_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    failed(machine.video(), "cannot be imported", "libgl1 libglib2.0-0")


def test_opencv_that_loses_frames_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(read=lambda: (False, None), release=lambda: None)
    monkeypatch.setattr(cv2, "VideoCapture", lambda path: silent)
    failed(machine.video(), "read 0 of the 3 frames")


@pytest.mark.parametrize(("free", "total", "message"), [(1, 100, "at least 10 needed"), (40, 1000, "Ray stops writing at 95%")])
def test_a_full_disk_fails(free: int, total: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free << 30, total=total << 30))
    failed(machine.cache_disk(), message, "FACEGAN_CACHE")


def test_a_cache_that_is_not_writable_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", "/proc/cache")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    failed(machine.cache_disk(), "/proc is not writable", "FACEGAN_CACHE")


@pytest.mark.parametrize(("hard", "fix"), [(1_000_000, "ulimit -n"), (1024, "limits.conf")])
def test_a_low_limit_of_open_files_fails(hard: int, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, hard))
    failed(machine.open_files(), "1024", fix)


def test_small_shared_memory_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=64 << 20, total=64 << 20))
    failed(machine.shared_memory(), "64 MiB", "--shm-size")


def test_a_port_that_another_program_uses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_ray_runs", lambda: False)
    monkeypatch.setattr(services, "_TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(services, "_PORTS", {port: "the head's GCS"})
        failed(services.ports(), str(port), "the head's GCS", "ss -ltnp")
        monkeypatch.setattr(services, "_ray_runs", lambda: True)
        assert services.ports().state == "ok"
    assert services.ports().message == f"{port} are free"


def test_a_tunnel_to_a_dashboard_is_ok(health: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_ray_runs", lambda: False)
    monkeypatch.setattr(services, "_PORTS", {int(health.rpartition(":")[2]): "its dashboard"})
    assert "is a tunnel to the dashboard of a remote Ray" in services.ports().message


def test_a_missing_or_disabled_token_fails(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert services.auth_token().state == "not checked"
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    failed(services.auth_token(), "none in RAY_AUTH_TOKEN", "ray get-auth-token --generate")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    failed(services.auth_token(), "RAY_AUTH_MODE is disabled")


@pytest.mark.parametrize(
    ("file", "check"), [(".ray/auth_token", services.auth_token), (".facegan/node.env", services.secret_files)]
)
def test_a_secret_that_other_users_can_read_fails(empty_home: Path, file: str, check: Callable[[], CheckResult]) -> None:
    path = empty_home / file
    path.parent.mkdir()
    path.write_text("secret")
    path.chmod(0o644)
    failed(check(), "mode 0644", f"chmod 600 {path}")
    path.chmod(0o600)
    assert check().state == "ok"


def test_storage_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed(services.storage(str(tmp_path / "file" / "below")), "is a file")


def test_storage_that_changes_content_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StorageURI, "read", lambda place, key: b"else")
    failed(services.storage(str(tmp_path)), "other content than was written")


def test_storage_that_does_not_delete_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StorageURI, "remove", lambda place, key: None)
    failed(services.storage(str(tmp_path)), "do not use this server")


def test_working_storage_is_ok_and_nothing_stays(tmp_path: Path) -> None:
    assert services.storage(str(tmp_path)).state == "ok"
    assert StorageURI(str(tmp_path)).entries() == []


def test_a_wrong_clock_fails(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", late)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    failed(services.clock("s3://faces"), f"ahead of {late}", "timedatectl set-ntp true")


@pytest.mark.parametrize("uri", ["", "/mnt/faces", "file:///mnt/faces"])
def test_without_a_storage_server_the_clock_is_not_checked(uri: str) -> None:
    assert services.clock(uri).state == "not checked"


def test_a_storage_server_that_does_not_answer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    failed(services.clock("s3://faces"), "http://127.0.0.1:9 did not answer", "AWS_ENDPOINT_URL")


def test_a_server_that_is_not_mlflow_fails(late: str) -> None:
    failed(services.mlflow_server("http://127.0.0.1:9"), "did not answer", "MLFLOW_TRACKING_URI")
    failed(services.mlflow_server(late), "did not answer")
    failed(services.mlflow_server("http://"), "did not answer")


def test_an_exception_in_a_check_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch, empty_home: Path) -> None:
    def broken() -> CheckResult:
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(cluster.doctor.diagnose, "packages", broken)
    results = {result.subject: result for result in diagnose("", "no")}
    failed(results["packages"], "RuntimeError: first line")
    assert results["storage"].state == results["MLflow"].state == "not checked"


def test_a_failed_check_exits_with_1_and_a_wrong_flag_is_a_user_error(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
def test_the_script_prints_its_checks_and_refuses_wrong_flags(tmp_path: Path) -> None:
    environment: dict[str, Any] = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "jobs" / "doctor.py")]
    wrong = subprocess.run([*command, "--storage", "gs://x"], env=environment, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    done = subprocess.run([*command, "--storage", str(tmp_path / "x")], env=environment, capture_output=True, text=True)
    assert f"storage      {tmp_path / 'x'} wrote, read and deleted" in done.stdout

"""Each check of a service names a planted fault and its fix."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.doctor import services
from cluster.doctor.check_result import CheckResult
from cluster.storage.uri import StorageURI
from tests.cluster.doctor.failing import failed


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

"""Checks of what a job connects to: Ray's ports and token, the storage and its clock, MLflow."""

import errno
import http.client
import os
import secrets
import socket
import stat
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path

from cluster.doctor.check_result import CheckResult, fail, not_checked, ok
from cluster.storage.uri import storage_uri
from facegan.errors import UserError

_PORTS = {6379: "the head's GCS", 8265: "its dashboard and jobs", 10001: "Ray clients", 52365: "each node's agent"}
_RAY_PROCESSES = ("gcs_server", "raylet", "ray::", "ray/dashboard", "ray/util/client")
_SECRET_FILES = (".facegan/cluster.env", ".facegan/node.env")
_MAX_SKEW_SECONDS = 30.0
_TIMEOUT_SECONDS = 5.0
_DISABLED = "no"


def ports() -> CheckResult:
    """Ray's fixed ports: free, used by Ray, or tunnels to the dashboard of a remote Ray."""
    used = [port for port in _PORTS if _is_used(port)]
    if not used:
        return ok("ports", f"{', '.join(map(str, _PORTS))} are free")
    if _ray_runs():
        return ok("ports", f"{', '.join(map(str, used))} in use, and Ray runs here")
    others = [port for port in used if not _is_dashboard(port)]
    if not others:
        return ok("ports", f"{', '.join(map(str, used))} is a tunnel to the dashboard of a remote Ray")
    taken = ", ".join(f"{port} ({_PORTS[port]})" for port in others)
    return fail(
        "ports",
        f"{taken} in use, and Ray does not run here: end the programs that use them (`ss -ltnp`), or give Ray other ports",
    )


def _is_dashboard(port: int) -> bool:
    try:  # this path needs no token
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/gcs_healthz", timeout=_TIMEOUT_SECONDS) as answer:
            return b"success" in answer.read(100)
    except (OSError, http.client.HTTPException):
        return False


def _is_used(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(
                    socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
                )  # else a connection that was just closed counts as used
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):  # no IPv6 here
                return True
    return False


def _ray_runs() -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended, or belongs to another user
            continue
        if any(name in line for name in _RAY_PROCESSES):
            return True
    return False


def auth_token() -> CheckResult:
    """Ray's authentication token: it exists, and other users cannot read its file."""
    mode = os.environ.get("RAY_AUTH_MODE", "").lower()
    if mode == "disabled":
        return fail(
            "Ray token", "RAY_AUTH_MODE is disabled: anyone who can reach the head can run code on all nodes; set it to token"
        )
    if os.environ.get("RAY_AUTH_TOKEN"):
        return ok("Ray token", "in RAY_AUTH_TOKEN")
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if path.is_file() and path.read_text().strip():
        return _check_modes("Ray token", [path])
    fix = "ray get-auth-token --generate > /dev/null && chmod 600 ~/.ray/auth_token"
    if mode == "token" or os.environ.get("RAY_AUTH_TOKEN_PATH") or os.environ.get("RAY_ADDRESS"):
        return fail("Ray token", f"none in RAY_AUTH_TOKEN and none in {path}: {fix}")
    return not_checked("Ray token", f"none; Ray creates one for this machine alone; for a cluster: {fix}")


def secret_files() -> CheckResult:
    """The files with S3 keys and the token, which are copied to the nodes: other users cannot read them."""
    existing = [Path.home() / name for name in _SECRET_FILES if (Path.home() / name).exists()]
    return _check_modes("secrets", existing) if existing else not_checked("secrets", "there is no ~/.facegan/cluster.env")


def _check_modes(subject: str, paths: list[Path]) -> CheckResult:
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            return fail(subject, f"{path} has mode {mode:04o}, so other users can read it: chmod 600 {path}")
    return ok(subject, f"{', '.join(map(str, paths))}: readable by the owner only")


def storage(uri: str) -> CheckResult:
    """Write, read and delete an object of 1 KiB."""
    if not uri:
        return not_checked("storage", "--storage is not given")
    where, key = storage_uri("--storage", uri), f"doctor-{secrets.token_hex(8)}"
    content = secrets.token_bytes(1024)
    try:
        where.check()
        started = time.monotonic()
        where.write(key, content)
        read = where.read(key)
        where.remove(key)
        took = time.monotonic() - started
        if read != content or where.exists(key):
            return fail(
                "storage", f"{where} returned other content than was written, or did not delete it: do not use this server"
            )
    except UserError as error:
        return fail("storage", str(error))
    return ok("storage", f"{where} wrote, read and deleted 1 KiB in {took:.2f} s")


def clock(uri: str) -> CheckResult:
    """This machine's clock, against the storage server's. S3 refuses requests from a difference of 15 minutes."""
    url = storage_uri("--storage", uri).server_url() if uri else ""
    if not url:
        return not_checked("clock", "--storage names no server to compare with")
    sent = time.time()
    try:
        date = _server_date(url)
    except OSError as error:
        return fail("clock", f"{url} did not answer ({error}): set AWS_ENDPOINT_URL to the server's address, or start it")
    if date is None:
        return not_checked("clock", f"{url} sends no Date header")
    skew = (sent + time.time()) / 2 - parsedate_to_datetime(date).timestamp() - 0.5  # the header has whole seconds
    if abs(skew) > _MAX_SKEW_SECONDS:
        return fail("clock", f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {url}: timedatectl set-ntp true")
    return ok("clock", f"within {abs(skew) + 0.5:.0f} s of {url}")


def _server_date(url: str) -> str | None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_TIMEOUT_SECONDS) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:  # an unsigned request is refused, but the answer has a Date
        headers = error.headers
    return str(headers["Date"]) if "Date" in headers else None


def mlflow_server(uri: str) -> CheckResult:
    """The tracking server answers and accepts the credentials."""
    if not uri:
        return not_checked("MLflow", "no --mlflow and no MLFLOW_TRACKING_URI: runs go to an SQLite file next to the study")
    if uri == _DISABLED:
        return not_checked("MLflow", f"disabled by --mlflow {_DISABLED}")
    if not uri.startswith(("http://", "https://")):
        return not_checked("MLflow", f"{uri} is not a server")
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_TIMEOUT_SECONDS):
            pass
    except (OSError, ValueError) as error:
        return fail("MLflow", f"{uri} did not answer ({error}): start the server or its tunnel, or correct MLFLOW_TRACKING_URI")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        reason = str(error).splitlines()[0][:150]
        return fail("MLflow", f"{uri} refused ({reason}): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    return ok("MLflow", f"{uri} answers")

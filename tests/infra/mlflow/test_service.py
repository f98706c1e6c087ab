"""MLflow as a service of the head: its systemd units, and their commands run against a bucket (serve, back up, restore)."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cluster.storage.uri import StorageURI
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.serving import free_port, listening_addresses, wait_for_answer

ROOT = Path(__file__).parents[3]
STORE = "s3://faces/mlflow"


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The systemd units that infra/mlflow/install.sh writes, by file name."""
    folder = tmp_path_factory.mktemp("units")
    command = ["bash", str(ROOT / "infra/mlflow/install.sh"), STORE + "/", sys.executable]
    subprocess.run(command, env=os.environ | {"UNITS": str(folder)}, check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture
def bucket(moto_server: str) -> Iterator[None]:
    """An S3 server with an empty bucket `faces`; the environment names the server."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST"))
    with s3_environment(moto_server):
        s3_client().create_bucket(Bucket="faces")
        yield


def line(unit: str, name: str) -> str:
    """The value of the only line `name=...` of a unit."""
    (value,) = re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)
    return str(value)


def test_installed_units_are_complete_and_mlflow_listens_on_loopback_only(units: dict[str, str], tmp_path: Path) -> None:
    assert set(units) == {"mlflow.service", "mlflow-backup.service", "mlflow-backup.timer"}
    assert not any(re.search("@[A-Z]+@", text) for text in units.values())
    service = units["mlflow.service"]
    assert "--host 127.0.0.1 " in line(service, "ExecStart"), "MLflow has no authentication: it must listen on loopback only"
    assert line(service, "Restart") == "always"
    assert line(service, "WantedBy") == "multi-user.target"
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    if shutil.which("systemd-analyze"):
        paths = [str(tmp_path / name) for name in units]
        found = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
        assert not [problem for problem in found.stderr.splitlines() if str(tmp_path) in problem], found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["bucket/mlflow"], "STORE is 'bucket/mlflow'"), (["s3://b/x", "/nowhere/python"], "make setup")],
)
def test_wrong_argument_installs_nothing(tmp_path: Path, arguments: list[str], message: str) -> None:
    command = ["bash", str(ROOT / "infra/mlflow/install.sh"), *arguments, *([sys.executable] if len(arguments) == 1 else [])]
    done = subprocess.run(command, env=os.environ | {"UNITS": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert message in done.stderr


def run_line(command: str, disk: Path) -> str:
    """Run a unit's command with the folder `disk` in place of /var/lib/mlflow; return its output."""
    done = subprocess.run(
        shlex.split(command.replace("/var/lib/mlflow", str(disk))), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(service: str, disk: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run the unit's server on a free port, with the folder `disk` in place of /var/lib/mlflow."""
    port = free_port()
    command = line(service, "ExecStart").replace("/var/lib/mlflow", str(disk)).replace("--port 5000", f"--port {port}")
    with (disk / "server.log").open("w") as log:
        server = subprocess.Popen(shlex.split(command), cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/health", server, (disk / "server.log").read_text)
        yield f"http://127.0.0.1:{port}", server
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@pytest.mark.s3
@pytest.mark.slow
def test_new_head_serves_the_runs_of_the_backup(bucket: None, units: dict[str, str], tmp_path: Path) -> None:
    service = units["mlflow.service"]
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    assert "no backup" in run_line(line(service, "ExecStartPre"), first)
    with serving(service, first) as (uri, server):
        assert listening_addresses(server.pid) == {"127.0.0.1"}
        client = MlflowClient(uri)
        run = client.create_run(client.create_experiment("kept")).info.run_id
        client.log_text(run, "an artifact", "note.txt")
        client.log_metric(run, "loss/pixel", 0.5, step=8)
        assert line(units["mlflow-backup.service"], "ExecStart") == line(service, "ExecStopPost")
        assert "saved" in run_line(line(service, "ExecStopPost"), first)
    assert any(entry.key.endswith("note.txt") for entry in StorageURI(STORE).entries("artifacts/"))
    assert "restored" in run_line(line(service, "ExecStartPre"), second)
    with serving(service, second) as (uri, _):
        client = MlflowClient(uri)
        assert [m.value for m in client.get_metric_history(run, "loss/pixel")] == [0.5]
        assert [a.path for a in client.list_artifacts(run)] == ["note.txt"]
    assert "kept" in run_line(line(service, "ExecStartPre"), second)


@pytest.mark.s3
def test_damaged_database_does_not_replace_the_backup(bucket: None, units: dict[str, str], tmp_path: Path) -> None:
    StorageURI(STORE).write("mlflow.db", b"the good one")
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    command = line(units["mlflow-backup.service"], "ExecStart").replace("/var/lib/mlflow", str(tmp_path))
    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert StorageURI(STORE).read("mlflow.db") == b"the good one"

"""The head that ends itself: the real script, with other programs in place of those that need AWS."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "infra" / "aws" / "end_when_idle.sh"
PROGRAMS = {
    "sudo": 'exec "$@"',
    "systemctl": "exit 3",
    # The command of the timer, its arguments one to a line.
    "systemd-run": 'while [ "$1" != bash ]; do shift; done; printf "%s\\0" "$@" > "$FAKES/timer"',
    "pgrep": 'exit "$(cat "$FAKES/no_job")"',
    "ss": 'cat "$FAKES/connections"',
    "poweroff": 'touch "$FAKES/off"',
}


@pytest.fixture
def head(tmp_path: Path) -> Path:
    for name, body in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    run(tmp_path, ["bash", str(SCRIPT), "60"])
    return tmp_path


def run(head: Path, command: list[str]) -> None:
    environment = os.environ | {"FAKES": str(head), "PATH": f"{head}:{os.environ['PATH']}", "IDLE_SINCE": str(head / "since")}
    subprocess.run(command, env=environment, check=True)


def check(head: Path, *, job: bool = False, connections: str = "") -> None:
    """What the timer does, with a job and SSH connections or without."""
    (head / "no_job").write_text("0" if job else "1")
    (head / "connections").write_text(connections)
    run(head, (head / "timer").read_text().split("\0")[:-1])


def age(head: Path, minutes: float) -> None:
    since = (head / "since").stat().st_mtime - 60 * minutes
    os.utime(head / "since", (since, since))


def test_it_ends_after_an_hour_without_work_only(head: Path) -> None:
    check(head)
    age(head, 59)
    check(head)
    assert not (head / "off").exists()
    age(head, 1)
    check(head)
    assert (head / "off").exists()


@pytest.mark.parametrize("busy", [{"job": True}, {"connections": "0 0 10.0.0.1:22 203.0.113.7:50000\n"}])
def test_a_job_or_a_tunnel_starts_the_hour_anew(head: Path, busy: dict[str, object]) -> None:
    check(head)
    age(head, 200)
    check(head, **busy)  # type: ignore[arg-type]
    check(head)
    assert not (head / "off").exists()


def test_the_shell_of_the_check_is_no_job(head: Path) -> None:
    """With the real pgrep, whose pattern is in that shell's own command line."""
    (head / "pgrep").unlink()
    check(head)
    assert (head / "since").exists()


def test_a_job_is_found_by_the_name_of_its_process(head: Path) -> None:
    (head / "pgrep").unlink()
    named = subprocess.Popen(["bash", "-c", "exec -a ray::JobSupervisor sleep 30"])
    try:
        check(head)
        assert not (head / "since").exists()
    finally:
        named.kill()
        named.wait()

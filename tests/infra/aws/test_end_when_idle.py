"""The head that ends itself: the real script, with other programs in place of those that need AWS."""

import os
import shutil
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
    subprocess.run(command, env=environment, check=True, start_new_session=True)


def check(head: Path, *, job: bool = False, connections: str = "", beside: str = "") -> None:
    """What the timer does, with a job and SSH connections or without, and other processes of its session."""
    (head / "no_job").write_text("0" if job else "1")
    (head / "connections").write_text(connections)
    run(head, ["bash", "-c", f'{beside} "$@"', "-", *(head / "timer").read_text().split("\0")[:-1]])


def age(head: Path, minutes: float) -> None:
    """Let the head be idle for so many minutes more; its clock is set too, which must not matter."""
    since = head / "since"
    since.write_text(str(int(since.read_text()) - round(60 * minutes)))
    os.utime(since, (0, 0))


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


@pytest.fixture
def real_pgrep(head: Path) -> Path:
    """The real pgrep, of the processes of its own session: jobs of other tests may run on this machine."""
    (head / "pgrep").write_text(f'#!/bin/bash\nexec {shutil.which("pgrep")} --session 0 "$@"\n')
    return head


def test_the_shell_of_the_check_is_no_job(real_pgrep: Path) -> None:
    """Although the pattern is in its command line."""
    check(real_pgrep)
    assert (real_pgrep / "since").exists()


@pytest.mark.parametrize(
    "name", ["python jobs/ablate.py", "/home/ubuntu/venv/bin/python jobs/bench/step.py", "ray::JobSupervisor"]
)
def test_a_job_is_found_by_the_name_of_its_process(real_pgrep: Path, name: str) -> None:
    check(real_pgrep, beside=f"(exec -a '{name}' sleep 30) & trap 'kill %1' EXIT; sleep 0.2;")
    assert not (real_pgrep / "since").exists()

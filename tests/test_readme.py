"""Every command in a README is one that works: run here, by another test or by the rehearsal, or at least accepted."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.cli.command_line import parse
from tests.readme import READMES, ROOT, command, commands

REHEARSAL = (ROOT / "tests" / "cloud" / "rehearsal.py").read_text()
LAB = (ROOT / "tests" / "hosts" / "lab.py").read_text() + (ROOT / "tests" / "hosts" / "test_onprem.py").read_text()
ALL = [(readme, line) for readme in READMES for line in commands(readme)]
# Not available to the tests: Docker and Kubernetes (tests/infra/kubernetes checks the files), an editor, a user's machines.
NOT_RUN = ("docker ", "kubectl ", "$EDITOR ", "ssh -fN ", "ssh-keygen ", "install -m ")
JOB = re.compile(r"(?:\.venv/bin/)?python (jobs/[\w/]+)\.py ?(.*)")
BY_PYTEST = {"README.md": "tests/jobs/test_submit.py", "infra/onprem/README.md": "tests/hosts/test_onprem.py"}
"""The tests that run the cluster's blocks."""


def test_there_are_commands() -> None:
    assert len(ALL) > 35 and {readme for readme, _ in ALL} >= {"README.md", "jobs/README.md", "infra/aws/README.md"}


@pytest.mark.parametrize(("readme", "line"), ALL)
def test_a_command_is_covered(readme: str, line: str) -> None:
    """A command of a new kind needs a test of its own."""
    for part in line.split(" && "):
        found = JOB.search(part)
        if found and "bench" not in found[1]:
            _is_accepted(found[1], found[2])
        elif part.startswith("make "):
            _is_a_target(part)
        elif part.startswith((".venv/bin/ray ", "export ", "set -a")):
            _is_run_on_a_cluster(readme, part)
        else:
            assert part.startswith(NOT_RUN) or (found and (ROOT / f"{found[1]}.py").exists()), part


def _is_accepted(job: str, flags: str) -> None:
    module = importlib.import_module(job.replace("/", "."))
    name = job.rpartition("/")[2].replace("_", "")
    arguments = next(value for value in vars(module).values() if isinstance(value, type) and value.__name__.lower() == name)
    parse(arguments, "a job", shlex.split(flags.replace("$STORE", "s3://bucket/facegan")))


def _is_a_target(part: str) -> None:
    words = [word for word in shlex.split(part) if "..." not in word]
    done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _is_run_on_a_cluster(readme: str, part: str) -> None:
    words = shlex.split(part)[1:]
    if readme == "infra/aws/README.md" or words[:1] in (["up"], ["dashboard"], ["down"]):
        place = REHEARSAL if "onprem" not in part else LAB
        assert part.startswith("export ") or f"ray {' '.join(words[:2])}" in place or f"ray {words[0]}" in place, part
    else:
        assert part.startswith("set -a") or "readme import command" in (ROOT / BY_PYTEST[readme]).read_text(), part


def test_make_ablate_is_the_job_that_tests_run() -> None:
    for line, flags in ((command("README.md", "make ablate"), "--preset demo"), (command("README.md", "SOURCE="), "")):
        done = subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
        (job,) = [shown for shown in done.stdout.splitlines() if "jobs/ablate.py" in shown]
        assert shlex.split(job) == [
            ".venv/bin/python",
            "jobs/ablate.py",
            *(flags or "--preset study --source /data/300VW").split(),
        ]


@pytest.mark.slow
def test_the_plan_is_printed_and_nothing_is_trained(tmp_path: Path) -> None:
    line = command("README.md", "--plan True")
    found = JOB.match(line)
    assert found
    # Without measuring how fast this machine is, which takes a minute.
    job = [sys.executable, str(ROOT / f"{found[1]}.py"), *shlex.split(found[2]), "--probe_seconds", "0"]
    done = subprocess.run(job, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "power" in done.stdout and not list(tmp_path.glob("studies/*"))

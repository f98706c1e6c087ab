"""A comparison as a script uses it: exit codes, JSON and nothing else on standard output, no run trained twice."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.compare import EXIT_CODES

pytestmark = pytest.mark.ray
SMALL = ("--json", "True", "--max_seeds", "3", "--images", "16")


def compare(jobs: Any, *arguments: str, code: int) -> dict[str, Any]:
    """The JSON object of a comparison that ends with this exit code."""
    command = jobs.command("compare", *SMALL, *arguments)
    done = subprocess.run(
        command, cwd=jobs.folder, env=jobs.environment(), capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-4000:]
    assert "report.html" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1 and found["exit_code"] == code
    return found


def test_a_change_that_does_nothing_is_equal_and_no_run_is_trained_twice(jobs: Any, tmp_path: Path) -> None:
    # On a CPU TF32 is not used, so the arms are the same.
    found = compare(jobs, "--change", "optim.tf32=False", code=EXIT_CODES["equal"])
    assert (found["outcome"], found["seeds"], found["people"]) == ("equal", 3, 2)
    assert [row["effect"] for row in found["metrics"]] == [pytest.approx(0, abs=1e-12)] * 4
    # So small a network shows no face, so identity may not be comparable.
    assert {row["verdict"] for row in found["metrics"]} <= {"equal", "not comparable"}
    assert (found["trials"]["trained"], found["trials"]["reused"], found["this_command"]["images"]) == (6, 0, 96)
    assert found["changes"] == {"optim.tf32": ["True", "False"]}
    assert found["cost"]["operations"] == 1 and found["this_command"]["cpu_seconds"] > 0
    assert found["this_command"]["gpu_seconds"] == 0 and found["versions"]["torch"]

    again = compare(jobs, "--change", "optim.tf32=False", code=EXIT_CODES["equal"])
    assert (again["trials"]["trained"], again["trials"]["reused"], again["plan"]) == (0, 6, found["plan"])
    assert (again["metrics"], again["this_command"]["images"]) == (found["metrics"], 0)

    other = compare(jobs, "--change", "optim.generator_lr=0.05", code=EXIT_CODES["undecided"])
    assert (other["trials"]["trained"], other["trials"]["reused"]) == (3, 3)
    assert other["cost"]["beside"] == [] and other["cost"]["ratio"] is None, "the base was trained by another command"
    assert other["plan"] != found["plan"] and "Undecided" in other["sentence"]
    assert "Is the change better?" in (tmp_path / "studies" / f"compare-demo-{other['plan']}" / "report.html").read_text()


def test_the_exit_codes_differ_and_are_not_those_of_errors() -> None:
    assert EXIT_CODES["keep"] == 0 and len(set(EXIT_CODES.values())) == 4
    assert not set(EXIT_CODES.values()) & {1, 2, 130}

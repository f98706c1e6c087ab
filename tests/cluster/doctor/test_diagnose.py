"""All checks in order, and the script jobs/doctor.py."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cluster.doctor.diagnose
from cluster.cli.command_line import parse
from cluster.doctor.check_result import CheckResult
from cluster.doctor.diagnose import diagnose
from facegan.errors import UserError
from jobs.doctor import Doctor, main
from tests.cluster.doctor.failing import failed

ROOT = Path(__file__).parents[3]


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

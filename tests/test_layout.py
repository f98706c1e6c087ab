"""The direction jobs -> cluster -> facegan, and names that shadow nothing."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "facegan": {"ray", "mlflow", "boto3", "cluster", "jobs", "infra", "tyro"},
    "cluster": {"jobs", "infra"},
}
BLOCKER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"ray", "mlflow", "boto3", "cluster", "jobs", "tyro"}:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Absent())
"""


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_nobody_imports_upwards(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    assert {str(f): imported(f) & FORBIDDEN[package] for f in files if imported(f) & FORBIDDEN[package]} == {}


def test_job_names_shadow_no_module() -> None:
    """`python jobs/x.py` puts jobs/ first on the path: jobs/profile.py would break cProfile."""
    installed = {name for names in importlib.metadata.packages_distributions() for name in [names]}
    for job in (ROOT / "jobs").glob("*.py"):
        assert job.stem not in sys.stdlib_module_names, job
        assert job.stem not in installed, job


def test_files_and_functions_stay_small() -> None:
    for path in [p for package in ("facegan", "cluster", "jobs", "infra") for p in (ROOT / package).rglob("*.py")]:
        text = path.read_text()
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, (path, node.name)


def test_top_level_holds_only_what_was_decided() -> None:
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    top = {name.split("/")[0] for name in found if name and not name.startswith(".")}
    decided = {"facegan", "cluster", "jobs", "infra", "tests", "pyproject.toml", "README.md", "Makefile", "constraints.txt"}
    assert top <= decided | {"LICENSE", "docs"}


@pytest.mark.slow
def test_facegan_passes_its_tests_without_ray_or_mlflow(tmp_path: Path) -> None:
    (tmp_path / "absent.py").write_text(BLOCKER)
    command = [sys.executable, "-m", "pytest", "-p", "absent", "-q", "-m", "not slow and not browser", "tests/facegan"]
    run = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout


@pytest.mark.slow
def test_the_blocker_blocks(tmp_path: Path) -> None:
    (tmp_path / "absent.py").write_text(BLOCKER)
    run = subprocess.run([sys.executable, "-c", "import absent, ray"], cwd=tmp_path, capture_output=True, text=True)
    assert "not installed here" in run.stderr

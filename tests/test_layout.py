"""The structure: jobs -> cluster -> facegan, no cycle between packages, and nothing where it does not belong."""

import ast
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from facegan.config import GROUPS, TERMS, LossConfig
from facegan.losses import FORMULAS

ROOT = Path(__file__).parent.parent
PACKAGES = ("facegan", "cluster", "jobs", "infra")
FORBIDDEN = {
    "facegan": {"ray", "mlflow", "boto3", "botocore", "cluster", "jobs", "infra", "tyro"},
    "cluster": {"jobs", "infra"},
}
OF_THE_CLUSTER = {"ray", "mlflow", "boto3", "botocore", "tyro"}
BLOCKER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"ray", "mlflow", "boto3", "cluster", "jobs", "tyro"}:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Absent())
"""


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere, also inside functions; of `from a import b` both a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def top_level(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def graph_at(package: str) -> dict[str, set[str]]:
    """The children of a package, files and packages, and which of them import which, all that is inside of a child counted."""
    depth = package.count(".") + 2
    graph: dict[str, set[str]] = {}
    for path in sources(package.replace(".", "/")):
        if path == ROOT / package.replace(".", "/") / "__init__.py":
            continue
        child = ".".join(module_name(path).split(".")[:depth])
        inside = {".".join(name.split(".")[:depth]) for name in imports(path) if name.startswith(f"{package}.")}
        graph.setdefault(child, set()).update(inside - {child})
    return {child: found & set(graph) for child, found in graph.items()}


def subpackages() -> list[str]:
    return [module_name(path) for path in sources("facegan", "cluster", "infra") if path.name == "__init__.py"]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_nobody_imports_upwards(package: str) -> None:
    found = {str(path): top_level(imports(path)) & FORBIDDEN[package] for path in sources(package)}
    assert found
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("package", subpackages())
def test_packages_and_files_form_no_cycle(package: str) -> None:
    try:
        list(TopologicalSorter(graph_at(package)).static_order())
    except CycleError as error:
        pytest.fail(f"{package}: {' -> '.join(error.args[1])}")


def test_the_check_for_cycles_sees_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in {
        "__init__": "",
        "a/__init__": "",
        "b": "def f():\n    from p.a.x import y\n",
        "a/x": "import p.b\n",
    }.items():
        (tmp_path / "p" / name).with_suffix(".py").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).with_suffix(".py").write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert graph_at("p") == {"p.a": {"p.b"}, "p.b": {"p.a"}}
    with pytest.raises(CycleError):
        list(TopologicalSorter(graph_at("p")).static_order())


NOT_BY_IMPORT = {
    "cluster.tracking.server": "whether MLflow's server answers, asked without MLflow, which tries for minutes",
    "cluster.runtime.ticker": "the thread behind progress lines and waiting for Ray",
    "cluster.tracking.tracker": "the protocol that MLflow implements",
}
"""Files of cluster/ that no import shows to need the cluster."""


def test_every_file_of_the_cluster_needs_the_cluster() -> None:
    """It uses Ray, MLflow, boto3 or the command line, or a file of the cluster that does; storage is all storage."""
    mapped = {module_name(path): imports(path) for path in sources("cluster") if path.name != "__init__.py"}
    belongs = {
        name for name, found in mapped.items() if top_level(found) & OF_THE_CLUSTER or name.startswith("cluster.storage.")
    }
    belongs |= set(NOT_BY_IMPORT)
    while more := {name for name, found in mapped.items() if found & belongs} - belongs:
        belongs |= more
    # The checks of a machine know the limits of Ray and print the doctor's lines, without importing either.
    doctor = {name for name in mapped if name.startswith("cluster.doctor.")}
    assert set(mapped) - belongs - doctor == set()


def test_facegan_knows_no_storage_scheme() -> None:
    assert [str(path) for path in sources("facegan") if "s3://" in path.read_text()] == []


@pytest.mark.parametrize("package", subpackages())
def test_every_package_says_what_belongs_there(package: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text()))
    assert text and len(text) > 40, package


def test_tests_mirror_the_packages() -> None:
    """Each folder of tests/facegan and tests/cluster is a package of the same name."""
    for folder in (path for name in ("facegan", "cluster") for path in (ROOT / "tests" / name).rglob("*") if path.is_dir()):
        if folder.name != "__pycache__":
            assert (ROOT / folder.relative_to(ROOT / "tests") / "__init__.py").exists(), folder


def test_terms_have_one_formula_each() -> None:
    assert list(FORMULAS) == list(TERMS)


@pytest.mark.parametrize("folder", ["jobs", "jobs/bench"])
def test_job_names_shadow_no_module(folder: str) -> None:
    """`python jobs/x.py` puts jobs/ first on the path: jobs/profile.py would break cProfile."""
    installed = set(importlib.metadata.packages_distributions())
    for job in (ROOT / folder).glob("*.py"):
        assert job.stem not in sys.stdlib_module_names, job
        assert job.stem not in installed, job


def test_files_and_functions_stay_small() -> None:
    for path in sources(*PACKAGES):
        text = path.read_text()
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, (path, node.name)


def test_top_level_holds_only_what_was_decided() -> None:
    found = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    top = {name.split("/")[0] for name in found if name and not name.startswith(".")}
    decided = {"facegan", "cluster", "jobs", "infra", "tests", "pyproject.toml", "README.md", "Makefile", "constraints.txt"}
    assert top <= decided | {"LICENSE"}


@pytest.mark.slow
def test_facegan_imports_and_trains_without_ray_or_mlflow(tmp_path: Path) -> None:
    """Every module is imported with Ray, MLflow and the cluster absent, then a run is trained, saved and resumed."""
    (tmp_path / "absent.py").write_text(BLOCKER)
    # Triton comes with PyTorch for GPUs.
    names = [module_name(path) for path in sources("facegan") if path.stem != "norm_triton"]
    command = f"import absent, importlib; [importlib.import_module(name) for name in {names}]"
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", command], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    tests = ["tests/facegan/training/test_checkpoint.py", "tests/facegan/training/test_train.py"]
    pytest_command = [sys.executable, "-m", "pytest", "-p", "absent", "-p", "no:cacheprovider", "-q", "-m", "not slow", *tests]
    run = subprocess.run(pytest_command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    assert " passed" in run.stdout


@pytest.mark.slow
def test_the_blocker_blocks(tmp_path: Path) -> None:
    (tmp_path / "absent.py").write_text(BLOCKER)
    run = subprocess.run([sys.executable, "-c", "import absent, ray"], cwd=tmp_path, capture_output=True, text=True)
    assert "not installed here" in run.stderr


def test_the_readme_is_short_and_its_table_of_terms_is_the_codes() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.encode()) < 9_000
    weights = LossConfig().weights()
    for term, formula in FORMULAS.items():
        if weights[term]:
            group = next((group.replace("_", " ") for group in ("pixel_space", "feature_space") if term in GROUPS[group]), "-")
            assert f"| `{term}` | {formula.text} | {weights[term]:g} | {group} |" in text, term


def test_links_in_readmes_lead_to_files() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*README.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "README.md" in listed
    for readme in listed:
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / readme).read_text()):
            assert "://" in link or (ROOT / readme).parent.joinpath(link).exists(), (readme, link)


def test_the_table_of_what_to_change_names_files_that_exist() -> None:
    text = (ROOT / "jobs" / "README.md").read_text()
    named = re.findall(r"`((?:facegan|cluster)/[\w/]+(?:\.py|/))`", text)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def strings_of_docs() -> Iterator[tuple[Path, str]]:
    """All READMEs, and all docstrings of the packages, also those of attributes."""
    yield from (
        (path, path.read_text()) for path in [ROOT / "README.md", *(p for n in PACKAGES for p in (ROOT / n).rglob("*.md"))]
    )
    for path in sources(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield path, node.value.value


def resolves(name: str) -> bool:
    """Whether `name` is a module, or an attribute below one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_dotted_names_in_docs_exist() -> None:
    named = {
        (n, path) for path, text in strings_of_docs() for n in re.findall(r"`((?:facegan|cluster)(?:\.\w+)+)(?:\(\))?`", text)
    }
    assert len(named) > 20
    files = {"cluster.yaml"}  # names of files
    assert sorted((n, str(path)) for n, path in named if n not in files and not resolves(n)) == []
    assert not resolves("cluster.studies.outputs") and not resolves("facegan.losses.FORMULA")


def test_the_clusters_docstring_orders_its_packages() -> None:
    """Packages are listed from top to bottom, those between two semicolons do not import each other."""
    graph = graph_at("cluster")
    text = ast.get_docstring(ast.parse((ROOT / "cluster" / "__init__.py").read_text())) or ""
    rows = [re.findall(r"`(\w+)`", row) for row in text.partition("below it only:")[2].split(";")]
    assert {f"cluster.{name}" for row in rows for name in row} == set(graph)
    for depth, row in enumerate(rows):
        below = {f"cluster.{name}" for lower in rows[depth + 1 :] for name in lower}
        assert all(graph[f"cluster.{name}"] <= below for name in row), row

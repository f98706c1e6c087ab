"""Paths and modules of infra/ that its files, the Makefile and pyproject.toml name exist."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for path in (ROOT / "infra").rglob("*") if path.is_file() and path.suffix != ".pyc")
PATH = re.compile(r"\binfra/[\w./-]*\w")
MODULE = re.compile(r"-m (infra(?:\.\w+)+)")
LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.mark.parametrize(
    "file", [*FILES, ROOT / "Makefile", ROOT / "pyproject.toml"], ids=lambda file: file.relative_to(ROOT).as_posix()
)
def test_named_paths_modules_and_links_exist(file: Path) -> None:
    text = file.read_text()
    assert [path for path in PATH.findall(text) if not (ROOT / path).exists()] == []
    assert [module for module in MODULE.findall(text) if importlib.util.find_spec(module) is None] == []
    assert file.suffix != ".md" or [link for link in LINK.findall(text) if not (file.parent / link).exists()] == []


def test_patterns_find_paths_modules_and_links() -> None:
    assert PATH.findall("see infra/aws/gone.yaml.") == ["infra/aws/gone.yaml"]
    assert MODULE.findall("python -m infra.aws.gone save") == ["infra.aws.gone"]
    assert LINK.findall("[a](../gone.md), [b](#here), [c](https://x.org)") == ["../gone.md"]

"""The commit in a study's record, in a checkout, on a cluster's node and in an image."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from facegan.code_commit import code_commit

MOUNTED = ("facegan", "cluster", "jobs", "pyproject.toml", "constraints.txt")


def git(root: Path, *words: str) -> str:
    told = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    return subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for folder in ("facegan", "cluster", "jobs", "tests"):
        (root / folder).mkdir(parents=True)
        (root / folder / "code.py").write_text("1")
    for file in ("pyproject.toml", "constraints.txt", "README.md"):
        (root / file).write_text("1")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def test_code_that_was_changed_or_added_makes_it_dirty(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "--short", "HEAD")
    (checkout / "README.md").write_text("2")
    assert code_commit(checkout) == commit
    (checkout / "facegan" / "new.py").write_text("1")
    assert code_commit(checkout) == f"{commit}-dirty"
    (checkout / "facegan" / "new.py").unlink()
    (checkout / "jobs" / "code.py").write_text("2")
    assert code_commit(checkout) == f"{commit}-dirty"


def test_a_node_has_the_code_and_git_but_not_the_rest(checkout: Path, tmp_path: Path) -> None:
    node = tmp_path / "node"
    for name in (*MOUNTED, ".git"):
        copy = shutil.copytree if (checkout / name).is_dir() else shutil.copy
        node.mkdir(exist_ok=True)
        copy(checkout / name, node / name)
    assert code_commit(node) == git(checkout, "rev-parse", "--short", "HEAD")


def test_without_git_an_image_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGAN_COMMIT", raising=False)
    assert code_commit(tmp_path) == "unknown"
    monkeypatch.setenv("FACEGAN_COMMIT", "abc1234")
    assert code_commit(tmp_path) == "abc1234"


def test_of_a_checkout_around_the_code_nothing_is_said(checkout: Path) -> None:
    """As with code that was unpacked into another project."""
    (checkout / "inside" / "facegan").mkdir(parents=True)
    assert code_commit(checkout / "inside") == os.environ.get("FACEGAN_COMMIT", "unknown")

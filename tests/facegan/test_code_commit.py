"""The commit in a study's record, in a checkout, on a cluster's node and in an image."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from facegan.code_commit import code_commit

ROOT = Path(__file__).parents[2]
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


def test_nothing_is_written_to_the_repository(checkout: Path) -> None:
    """A job that was killed while Git refreshed its index left a lock, and Git then refused every command of the user."""
    os.utime(checkout / "jobs" / "code.py", (1, 1))  # Git would note the new time in its index
    before = (checkout / ".git" / "index").read_bytes()
    assert not code_commit(checkout).endswith("-dirty")
    assert (checkout / ".git" / "index").read_bytes() == before


def rsync(source: Path, target: Path, config: str) -> None:
    """Copy as `ray up` does with this file."""
    excluded = yaml.safe_load((ROOT / config).read_text())["rsync_exclude"]
    slash = "/" if source.is_dir() else ""
    options = [f"--exclude={pattern}" for pattern in excluded]
    subprocess.run(["rsync", "-a", *options, f"{source}{slash}", f"{target}{slash}"], check=True)


def test_a_node_knows_the_commit_and_no_password_of_a_remote_repository(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "remote", "add", "origin", "https://me:secret@example.org/facegan.git")
    aws, onprem = tmp_path / "aws", tmp_path / "onprem"
    aws.mkdir()
    for name in (*MOUNTED, ".git"):
        rsync(checkout / name, aws / name, "infra/cluster.yaml")
    rsync(checkout, onprem, "infra/onprem/cluster.yaml")
    for node in (aws, onprem):
        assert code_commit(node) == git(checkout, "rev-parse", "--short", "HEAD")
        assert not [path for path in node.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_without_git_an_image_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGAN_COMMIT", raising=False)
    assert code_commit(tmp_path) == "unknown"
    monkeypatch.setenv("FACEGAN_COMMIT", "abc1234")
    assert code_commit(tmp_path) == "abc1234"


def test_of_a_checkout_around_the_code_nothing_is_said(checkout: Path) -> None:
    """As with code that was unpacked into another project."""
    (checkout / "inside" / "facegan").mkdir(parents=True)
    assert code_commit(checkout / "inside") == os.environ.get("FACEGAN_COMMIT", "unknown")

"""Atomic replacement of files and folders by processes that are killed."""

import os
from pathlib import Path

import pytest

from facegan.files import remove_unfinished, replacing


def replace_folder(folder: Path, content: str) -> None:
    with replacing(folder) as partial:
        partial.mkdir()
        (partial / "content").write_text(content)


def killed_at_rename(folder: Path, content: str, survives: int) -> None:
    """Replace the folder in a process that ends, as if killed, before its rename number `survives` + 1."""
    child = os.fork()
    if not child:
        rename, left = os.rename, [survives]

        def rename_or_end(source: Path, target: Path) -> None:
            if not left[0]:
                os._exit(0)
            left[0] -= 1
            rename(source, target)

        os.rename = rename_or_end  # type: ignore[assignment]
        replace_folder(folder, content)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("survives", [0, 1])
def test_a_killed_replacement_leaves_one_version_and_the_next_writer_removes_the_rest(tmp_path: Path, survives: int) -> None:
    folder = tmp_path / "checkpoint"
    replace_folder(folder, "old")
    killed_at_rename(folder, "new", survives)
    remove_unfinished(tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept == (folder if survives == 0 else tmp_path / "checkpoint.previous")
    assert (kept / "content").read_text() == "old"
    replace_folder(folder, "newest")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert (folder / "content").read_text() == "newest"


def test_a_kill_before_the_old_version_is_removed_leaves_the_new_one(tmp_path: Path) -> None:
    for name in ("checkpoint", "checkpoint.previous"):
        (tmp_path / name).mkdir()
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]

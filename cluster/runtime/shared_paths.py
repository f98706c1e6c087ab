"""Check that every node sees the folders of a job: workers cannot read a folder on the driver's own disk."""

from collections.abc import Mapping
from pathlib import Path

from cluster.runtime.nodes import on_other_nodes
from cluster.storage.backends import remote_forms
from facegan.errors import UserError


def check_shared_paths(files: Mapping[str, Path]) -> None:
    """Raise UserError if a node that runs tasks does not see one of the files.

    `files` has an existing file for each flag that named a folder.
    """
    paths = {flag: str(path.resolve()) for flag, path in files.items()}
    for address, flags in on_other_nodes(_unseen, paths, with_cpus=True):
        for flag in flags:
            raise UserError(
                f"{flag}: node {address} does not see {files[flag]}; name a folder "
                f"that all nodes share, or {' or '.join(remote_forms())}"
            )


def _unseen(paths: dict[str, str]) -> list[str]:
    return [flag for flag, path in paths.items() if not Path(path).exists()]

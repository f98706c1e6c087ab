"""What the rehearsal needs on this machine's disk."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hosts.lab import ROOT


@contextmanager
def disk(room: Path) -> Iterator[Path]:
    """A file system of its own in a sparse file, for what instances write."""
    image, folder = room / "disk.img", room / "disk"
    image.unlink(missing_ok=True)
    folder.mkdir(exist_ok=True)
    subprocess.run(["truncate", "--size=45G", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        image.unlink()


def fetch_wheels(python: Path, wheels: Path) -> None:
    """The locked packages for the nodes, which have no way to the outside; kept for the next time."""
    environment = wheels.parent / "fetch"
    subprocess.run([python, "-m", "venv", environment], check=True)
    what = f"--constraint constraints.txt --dest {wheels} torch .[dev] setuptools>=77 wheel"
    subprocess.run([environment / "bin/python", "-m", "pip", "download", "--quiet", *what.split()], cwd=ROOT, check=True)

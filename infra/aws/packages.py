"""The installed packages of a node, kept in the store: a new node unpacks them in place of installing them.

    python -m infra.aws.packages fetch     on a node without packages; needs boto3, filelock, PyYAML and tyro only
    python -m infra.aws.packages put       on a node that has installed them

`infra/aws/packages.sh` runs both. In the store, <key> being a hash of what decides which packages are installed:

    packages/<key>-<hash>.tar.zst     the virtual environment
    packages/<key>.json               its size and hash, written once and last: what it does not name is not used
"""

import hashlib
import json
import platform
import re
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cluster.cli.command_line import run_job
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI, storage_uri
from facegan.cache import cache_folder
from facegan.errors import UserError
from facegan.files import file_sha256, replacing
from facegan.records import parse_record
from infra.aws.stack import read_stack

_CODE = Path(__file__).parents[2]
_DONE = ".done"
"""The file after which the Makefile takes the packages as installed."""


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Arguments of infra.aws.packages."""

    action: Annotated[Literal["fetch", "put"], tyro.conf.Positional] = "fetch"
    """`fetch` unpacks the packages; `put` packs and uploads them, unless they are in the store."""
    venv: Path = Path("~/venv")
    """The virtual environment."""
    store: str = ""
    """Place of the archives: a folder or s3://bucket/prefix; packages/ of the stack's store by default."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The record of an archive in the store."""

    size: int
    """Bytes."""
    sha256: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise UserError(f"sha256 is {self.sha256!r}: 64 hexadecimal digits")

    def name(self, key: str) -> str:
        """The name of its object."""
        return f"{key}-{self.sha256[:16]}.tar.zst"


def main(args: Packages) -> None:
    """Fetch or put the packages."""
    store = storage_uri("--store", args.store or f"{read_stack().store()}/packages")
    (fetch if args.action == "fetch" else put)(args.venv.expanduser().absolute(), store)


def packages_key(venv: Path) -> str:
    """A hash of what decides the content of the environment; scripts and the code's finder hold absolute paths."""
    decided_by = [
        *((_CODE / name).read_text() for name in ("constraints.txt", "pyproject.toml")),
        *(platform.python_version(), sysconfig.get_platform(), *platform.libc_ver()),
        *(str(venv), str(_CODE)),
    ]
    return hashlib.sha256(json.dumps(decided_by).encode()).hexdigest()[:16]


def fetch(venv: Path, store: StorageURI) -> None:
    """Make the environment from its archive. Raises UserError if there is none or it is damaged; then nothing is changed."""
    key = packages_key(venv)
    cure = "remove it, and the head puts it there when it is set up again"
    try:
        archive = parse_record(Archive, store.read(f"{key}.json"), f"{store}/{key}.json", cure)
        with _scratch() as local:
            store.download(archive.name(key), local, size=archive.size, sha256=archive.sha256)
            with replacing(venv) as partial:
                partial.mkdir()
                _tar("--extract", "--zstd", "--no-same-owner", "--file", str(local), "--directory", str(partial))
                (partial / _DONE).touch()
    except FileNotFoundError:
        raise UserError(f"{store} has no packages for this code, Python and system ({key})") from None
    print(f"packages {venv} from {store}/{archive.name(key)} ({archive.size / 1e6:.0f} MB)", flush=True)


def put(venv: Path, store: StorageURI) -> None:
    """Upload the environment unless the store has it, and remove what the store has of other code."""
    key = packages_key(venv)
    if store.exists(f"{key}.json"):
        print(f"packages {store}/{key}.json is there", flush=True)
        return
    with _scratch() as local:
        _tar(
            "--create",
            "--use-compress-program=zstd -T0 -3",
            f"--exclude=./{_DONE}",
            "--file",
            str(local),
            "--directory",
            str(venv),
            ".",
        )
        archive = Archive(local.stat().st_size, file_sha256(local))
        store.upload(archive.name(key), local, sha256=archive.sha256)
    try:
        store.write(f"{key}.json", json.dumps(asdict(archive)).encode(), only_if_absent=True)
    except AlreadyThere:
        store.remove(archive.name(key))
        print(f"packages another node has put {store}/{key}.json there", flush=True)
        return
    for entry in store.entries():
        if entry.key not in (f"{key}.json", archive.name(key)):
            store.remove(entry.key)
    print(f"packages {venv} to {store}/{archive.name(key)} ({archive.size / 1e6:.0f} MB)", flush=True)


@contextmanager
def _scratch() -> Iterator[Path]:
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        yield Path(folder) / "packages.tar.zst"


def _tar(*arguments: str) -> None:
    told = subprocess.run(["tar", *arguments], capture_output=True, text=True)
    if told.returncode:
        raise UserError(f"tar failed: {(told.stderr.strip().splitlines() or ['no reason given'])[0]}")


if __name__ == "__main__":
    run_job(main, Packages, __doc__)

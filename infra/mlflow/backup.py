"""Back up the sqlite database of a running MLflow server to a bucket or folder, and restore it.

    python -m infra.mlflow.backup save    --database /var/lib/mlflow/mlflow.db --to s3://bucket/mlflow
    python -m infra.mlflow.backup restore --database /var/lib/mlflow/mlflow.db --to s3://bucket/mlflow

`restore` does not replace an existing database, and creates one where there is no backup.
A bucket with versioning keeps earlier backups.
"""

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cluster.cli.command_line import run_job
from cluster.storage.uri import StorageURI, storage_uri
from cluster.tracking.database import create_database
from facegan.errors import UserError
from facegan.files import file_sha256, write_bytes

_KEY = "mlflow.db"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Arguments of infra.mlflow.backup."""

    action: Annotated[Literal["save", "restore"], tyro.conf.Positional] = "save"
    """`save` uploads a backup; `restore` downloads the last one."""
    database: Path = Path("/var/lib/mlflow/mlflow.db")
    """sqlite file of the server."""
    to: str = ""
    """Place of the backup: a folder or s3://bucket/prefix."""


def main(args: Backup) -> None:
    """Save or restore the database."""
    where = storage_uri("--to", args.to)
    if args.action == "save":
        save(args.database, where)
    else:
        restore(args.database, where)


def save(database: Path, where: StorageURI) -> None:
    """Upload a consistent copy of the database; UserError if it is missing or damaged, and the last backup is kept."""
    if not database.exists():
        raise UserError(f"--database is {str(database)!r}: no such file; start MLflow, which creates it")
    with tempfile.TemporaryDirectory(dir=database.parent) as scratch:
        copy = Path(scratch) / _KEY
        _copy(database, copy)
        where.upload(_KEY, copy, sha256=file_sha256(copy))
        print(f"saved    {database} ({copy.stat().st_size / 1e6:.1f} MB) to {where}/{_KEY}", flush=True)


def _copy(database: Path, copy: Path) -> None:
    """Copy the database while the server writes to it; UserError if sqlite finds it damaged."""
    try:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            (verdict,) = target.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise UserError(
            f"--database is {str(database)!r}: sqlite finds it damaged ({verdict}) and the last backup is kept; "
            "move the file away and run restore"
        )


def restore(database: Path, where: StorageURI) -> None:
    """Make a missing database from the last backup, or a new one if there is no backup, in one step; keep one that exists."""
    if database.exists():
        print(f"kept     {database} exists", flush=True)
        return
    try:
        content = where.read(_KEY)
    except FileNotFoundError:
        create_database(database, "mlflow-artifacts:/")
        print(f"new      no backup in {where}: MLflow starts with an empty database", flush=True)
        return
    write_bytes(database, content)
    print(f"restored {database} from {where}/{_KEY}", flush=True)


if __name__ == "__main__":
    run_job(main, Backup, __doc__)

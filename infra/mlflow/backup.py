"""MLflow's sqlite database to object storage and back, while the server writes.

    python -m infra.mlflow.backup save    --database /var/lib/mlflow/mlflow.db --to s3://bucket/mlflow
    python -m infra.mlflow.backup restore --database /var/lib/mlflow/mlflow.db --to s3://bucket/mlflow

`restore` leaves a database alone that is there already. A bucket with versions keeps the earlier backups.
"""

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from cluster.cli import run_job
from cluster.storage import Place, place
from facegan.cache import file_sha256
from facegan.config import UserError

_KEY = "mlflow.db"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Arguments of infra.mlflow.backup."""

    action: Annotated[Literal["save", "restore"], tyro.conf.Positional] = "save"
    """What to do."""
    database: Path = Path("/var/lib/mlflow/mlflow.db")
    """The sqlite file of the server."""
    to: str = ""
    """Where backups lie: a folder or s3://bucket/prefix."""


def main(args: Backup) -> None:
    """Save or restore."""
    where = place("--to", args.to)
    if args.action == "save":
        save(args.database, where)
    else:
        restore(args.database, where)


def save(database: Path, where: Place) -> None:
    """Upload a consistent copy; a damaged database is refused, so that it does not replace the last good backup."""
    if not database.exists():
        raise UserError(f"--database is {str(database)!r}: no such file; MLflow makes it at its first start")
    with tempfile.TemporaryDirectory(dir=database.parent) as scratch:
        copy = Path(scratch) / _KEY
        _copy(database, copy)
        where.upload(_KEY, copy, sha256=file_sha256(copy))
        print(f"saved    {database} ({copy.stat().st_size / 1e6:.1f} MB) to {where}/{_KEY}", flush=True)


def _copy(database: Path, copy: Path) -> None:
    """One moment of the database, while the server goes on writing."""
    try:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            (verdict,) = target.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise UserError(f"--database is {str(database)!r}: sqlite finds it damaged ({verdict}); the last backup is kept")


def restore(database: Path, where: Place) -> None:
    """Put the last backup in the database's place, as a whole; nothing where one is there or no backup was ever made."""
    if database.exists():
        print(f"kept     {database} is there", flush=True)
        return
    try:
        content = where.read(_KEY)
    except FileNotFoundError:
        print(f"new      no backup in {where}: MLflow starts with an empty database", flush=True)
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f"{database.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    os.replace(partial, database)
    print(f"restored {database} from {where}/{_KEY}", flush=True)


if __name__ == "__main__":
    run_job(main, Backup, __doc__)

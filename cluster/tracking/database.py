"""MLflow's SQLite database, created in one transaction."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

_WAIT_SECONDS, _LOOK_SECONDS = 60.0, 5.0


def create_database(path: Path, artifacts: str) -> None:
    """Create the tables of MLflow in a file that has none; `artifacts` is the URI for files of its default experiment.

    Raises sqlite3.Error for a file that cannot be opened or is no database.

    MLflow itself runs dozens of migrations on the file. A process that is killed in those two seconds leaves tables that MLflow
    can neither use nor complete. Here the migrations run in memory, and what they made is written in one transaction, so that
    the file has all tables or none. A process that does the same at the same time waits, and finds them there.
    """
    if path.exists() and path.stat().st_size:
        # MLflow itself would try for minutes to open one that it cannot open.
        with closing(sqlite3.connect(path, timeout=_LOOK_SECONDS)) as database:
            database.execute("SELECT name FROM sqlite_master").fetchone()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    statements = _tables(artifacts)
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        if not database.execute("SELECT name FROM sqlite_master").fetchall():
            for statement in statements:
                database.execute(statement)
        database.execute("COMMIT")


def _tables(artifacts: str) -> list[str]:
    """The SQL that makes MLflow's tables and its default experiment."""
    store: Any = SqlAlchemyStore("sqlite://", artifacts)  # type: ignore[no-untyped-call]
    with closing(store.engine.raw_connection()) as connection:
        _begin, *statements, _commit = connection.driver_connection.iterdump()
    store.engine.dispose()
    return list(statements)

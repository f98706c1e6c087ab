"""MLflow's database in a file: complete or not there, whenever the process that creates it ends."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient


def tables(path: Path) -> dict[str, set[str]]:
    """The columns of each table that other processes see."""
    with closing(sqlite3.connect(path, timeout=60)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: {column for _, column, *_ in database.execute(f"PRAGMA table_info({name})")} for name in names}


@pytest.mark.slow
def test_others_see_no_table_or_all_that_mlflow_makes(tmp_path: Path) -> None:
    """Two processes create it, and one is killed as soon as there are tables."""
    path = tmp_path / "mlflow.db"
    code = f"import pathlib, cluster.tracking.database as d; d.create_database(pathlib.Path({str(path)!r}), 'file:///files')"
    killed, other = (subprocess.Popen([sys.executable, "-c", code]) for _ in range(2))
    while not (seen := tables(path) if path.exists() else {}):
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    MlflowClient(f"sqlite:///{tmp_path / 'theirs.db'}").search_experiments()
    assert seen == tables(tmp_path / "theirs.db")
    assert other.wait(60) == 0
    (default,) = MlflowClient(f"sqlite:///{path}").search_experiments()
    assert (default.name, default.artifact_location) == ("Default", "file:///files/0")

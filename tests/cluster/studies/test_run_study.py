"""The console's word on where a study's MLflow is."""

import pytest

from cluster.studies.run_study import _how_to_open


@pytest.mark.parametrize(
    ("uri", "on_a_cluster", "word"),
    [
        ("sqlite:////home/me/studies/mlflow.db", False, "make mlflow opens it"),
        ("http://127.0.0.1:5000", True, "make mlflow-tunnel brings it"),
        ("http://127.0.0.1:5000", False, ""),
        ("http://mlflow.example.org", True, ""),
    ],
)
def test_it_is_what_helps_there(uri: str, on_a_cluster: bool, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if on_a_cluster:
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    said = _how_to_open(uri)
    assert word in said and bool(word) == bool(said)

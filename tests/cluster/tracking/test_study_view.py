"""The link to a study in MLflow's UI, and the titles of its charts."""

import pytest

from cluster.tracking.study_view import link_to_view
from facegan.metrics.table import HEADLINES, METRICS


@pytest.mark.parametrize(
    ("uri", "start"),
    [
        ("http://127.0.0.1:6000", "http://127.0.0.1:6000/#/experiments/3/runs?"),
        ("https://me:secret@mlflow.example.org/base/", "https://mlflow.example.org/base/#/experiments/3/runs?"),
        ("sqlite:////home/me/studies/mlflow.db", "http://127.0.0.1:5000/#/experiments/3/runs?"),
    ],
)
def test_the_link_leads_to_the_server_without_its_password(uri: str, start: str) -> None:
    link = link_to_view(uri, "3", "facegan-1")
    assert link.startswith(start) and "viewStateShareKey=facegan-1" in link and "secret" not in link


@pytest.mark.parametrize("uri", ["postgresql://me:secret@db/runs", "file:///tmp/runs", "databricks"])
def test_other_stores_have_no_link(uri: str) -> None:
    assert link_to_view(uri, "3", "facegan-1") == ""


def test_the_titles_tell_the_directions_of_the_table_of_metrics() -> None:
    less = {name for name, metric in METRICS.items() if metric.tracked and metric.better == "less"}
    assert less == {name for name in HEADLINES if "error" in name}

"""The link to a study in MLflow's UI, and the titles of its charts."""

import pytest

from cluster.tracking import study_view
from cluster.tracking.study_view import link_to_view
from facegan.config import Config
from facegan.metrics.table import HEADLINES, METRICS
from tests.facegan.study.search.planted_search import candidates_plan


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


def test_a_search_shows_its_best_candidates_with_their_values(tiny: Config) -> None:
    """A mean over an arm's candidates would mean nothing, and they have no scores on test people."""
    state = study_view._state(candidates_plan(tiny, "full", "no_pixel"), "tags.kind = 'trial'")
    assert state["groupBy"] is None and state["runsHiddenMode"] == "FIRST_20_RUNS"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`validation/selection_score`", True)
    assert {"params.`loss.pixel`", "params.`optim.generator_lr`"} < set(state["selectedColumns"])
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} == sections
    assert not any("score/" in chart["metricKey"] for chart in state["compareRunCharts"])

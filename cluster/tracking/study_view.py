"""The view of a study in MLflow's UI: its arms with their scores, and the curves of every term of the loss.

MLflow's UI reads which runs, columns and charts to show from a saved view of the experiment. Such a view is a tag of the
experiment, and a link with its key opens it. The user interface writes such tags itself ("Views"). The names in this file are
those of MLflow 3.17; tests/cluster/tracking/test_view_in_browser.py opens the link in Chromium.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from mlflow import MlflowClient

from facegan.config import TERMS
from facegan.metrics.table import HEADLINES, METRICS
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.design.plan import Plan

ARM = "loss_terms"
"""The tag of a trial's run with its arm's label, which the view groups by.

The UI colours a group by a hash of the tag's name and value. With this name, those of Figure 2's arms differ well.
"""
_TAG, _OURS = "mlflow.sharedViewState.", "facegan-"
_SectionsAndCharts = tuple[list[dict[str, Any]], list[dict[str, Any]]]
_LOSSES = "Loss of each term, without its weight"
_VALIDATION = (SELECTION, "validation/target_following", "validation/identity_kept")
_LOCAL_SERVER = "http://127.0.0.1:5000"
"""Where `make mlflow` and `make mlflow-tunnel` serve MLflow."""


def save_view(client: MlflowClient, experiment: str, plan: Plan, name: str, runs: str, created: int) -> str:
    """Save the view of a study in its experiment, or replace it; returns its key.

    `name` is the view's name in the UI, `runs` MLflow's filter of the study's trials, `created` a time in milliseconds.
    """
    key = f"{_OURS}{hashlib.sha256(runs.encode()).hexdigest()[:12]}"
    state = base64.b64encode(zlib.compress(json.dumps(_state(plan, runs)).encode())).decode()
    view = {"name": name, "createdAt": created, "state": f"deflate;{state}"}
    client.set_experiment_tag(experiment, _TAG + key, json.dumps(view))
    return key


def links_to_views(client: MlflowClient, uri: str) -> list[tuple[str, str]]:
    """The name of each study on the server of a tracking URI, and the link to its view; the newest comes last."""
    found = []
    for experiment in client.search_experiments():
        for tag, value in experiment.tags.items():
            if tag.startswith(_TAG + _OURS):
                view = json.loads(value)
                link = link_to_view(uri, experiment.experiment_id, tag.removeprefix(_TAG))
                found.append((view["createdAt"], view["name"], link))
    return [(name, link) for _, name, link in sorted(found)]


def link_to_view(uri: str, experiment: str, key: str) -> str:
    """The address of a saved view on the server of a tracking URI; empty if the URI does not tell the server."""
    found = urlsplit(uri)
    if found.scheme in ("http", "https"):
        # Without a user's name and password, which a URI may have.
        server = f"{found.scheme}://{found.netloc.rpartition('@')[2]}{found.path.rstrip('/')}"
    elif found.scheme == "sqlite":
        server = _LOCAL_SERVER
    else:
        return ""
    # The UI has two kinds of pages, and opens those for language models unless it is told.
    query = {"workflowType": "machine_learning", "compareRunsMode": "CHART", "viewStateShareKey": key}
    return f"{server}/#/experiments/{experiment}/runs?{urlencode(query)}"


def _state(plan: Plan, runs: str) -> dict[str, Any]:
    """What the UI shows: which runs in which order, groups, columns, and charts."""
    scores = [f"score/{name}" for name, metric in METRICS.items() if metric.tracked]
    shown = list(_VALIDATION) if plan.search else scores
    searched = [_column("params", parameter.name) for parameter in plan.search.space] if plan.search else []
    columns = [*(_column("metrics", name) for name in shown), *searched, _column("attributes", "Models")]
    grouping = {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": ARM}]}
    sections, charts = _charts_of_search(plan) if plan.search else _charts_of_arms(plan, scores)
    return {
        "searchFilter": runs,
        "orderByKey": _column("metrics", shown[0]),
        "orderByAsc": plan.search is not None,  # of the score that a search minimises, less is better
        "selectedColumns": columns,
        "columnOrder": [*columns, "duration"],
        "columnWidths": dict.fromkeys(columns[:-1], 180),
        # The mean of an arm's seeds. The mean of a search's candidates would mean nothing.
        "groupBy": None if plan.search else grouping,
        "groupsExpanded": {f"tag.{ARM}.{arm.label}": False for arm in plan.arms},
        "runsHiddenMode": "FIRST_20_RUNS" if plan.search else "SHOW_ALL",
        "runListHidden": True,
        "compareRunSections": sections,
        "compareRunCharts": charts,
        # Keeps the sections in this order. The UI adds sections for metrics without a chart.
        "isAccordionReordered": True,
    }


def _charts_of_arms(plan: Plan, scores: Sequence[str]) -> _SectionsAndCharts:
    """The sections and their charts. A window of usual size shows the headlines' bars and the first curves."""
    headlines = [name for name in scores if name.partition("/")[2] in HEADLINES]
    others = [name for name in scores if name not in headlines]
    bars = min(150 + 25 * len(plan.arms), 500)
    sections = [
        _section("headlines", "Arms' scores (of errors, less is better)", columns=len(headlines), height=bars),
        _section("losses", _LOSSES, columns=3, height=250),
        _section("others", "Other scores (more is better)", columns=len(headlines), height=bars),
    ]
    charts = [
        *(_chart("BAR", name, "headlines") for name in headlines),
        *(_curves(name, "losses") for name in _losses(plan)),
        *(_chart("BAR", name, "others") for name in others),
    ]
    return sections, charts


def _charts_of_search(plan: Plan) -> _SectionsAndCharts:
    """The best candidates' curves on validation clips, which a search chooses by, then those of the loss."""
    sections = [
        _section("validation", "Validation (of selection_score, less is better)", columns=3, height=350),
        _section("losses", _LOSSES, columns=3, height=250),
    ]
    return sections, [
        *(_curves(name, "validation") for name in _VALIDATION),
        *(_curves(name, "losses") for name in _losses(plan)),
    ]


def _losses(plan: Plan) -> list[str]:
    """The terms that an arm uses, in their order, then the two networks' whole losses."""
    used = {term for trial in plan.trials for term in trial.config.loss.active()}
    return [f"loss/{term}" for term in (*(term for term in TERMS if term in used), "generator", "discriminator")]


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _section(key: str, title: str, columns: int, height: int) -> dict[str, Any]:
    """`height` is that of its charts, in pixels."""
    fixed = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": f"facegan-{key}", "name": title, "columns": columns, "cardHeight": height, **fixed}


def _curves(metric: str, section: str) -> dict[str, Any]:
    """One curve for each arm over training images, and the range of its seeds."""
    axes = {"xAxisKey": "step", "selectedXAxisMetricKey": "", "xAxisScaleType": "linear", "scaleType": "linear"}
    # Without a smoothness, the UI smooths much.
    return _chart("LINE", metric, section) | axes | {"lineSmoothness": 0, "useGlobalLineSmoothing": False}


def _chart(kind: str, metric: str, section: str) -> dict[str, Any]:
    # Not "generated": the UI would turn a generated bar chart of a metric with a step into a line of one point.
    place = {"uuid": f"facegan-{metric}", "metricSectionId": f"facegan-{section}"}
    return {"type": kind, "metricKey": metric, "deleted": False, "isGenerated": False, **place}

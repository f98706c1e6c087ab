"""A study's link in MLflow's UI, opened in headless Chromium: scores and curves without a click."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.tracking import start_tracker
from cluster.tracking.study_view import ARM
from facegan.config import Config
from facegan.metrics.table import HEADLINES, METRICS
from facegan.study.design.plan import Plan
from tests.cluster.tracking.finished_study import FOLLOWING, IMAGES, finished_study
from tests.cluster.tracking.test_reconnecting import server
from tests.facegan.live.chromium import CHROMIUM, Chromium
from tests.serving import free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
CARDS = """[...document.querySelectorAll('[data-testid=experiment-view-compare-runs-card]')].map(card => ({
    title: card.querySelector('[title]')?.title, top: card.getBoundingClientRect().top,
    traces: [...card.querySelectorAll('.js-plotly-plot')].flatMap(plot => plot.data.map(trace => ({
        kind: trace.type, mode: trace.mode, x: [...trace.x], y: [...trace.y], text: trace.text})))}))"""
"""The charts that are drawn: those in the window, and the rows next to them."""
COLUMNS = """[...document.querySelectorAll('.ag-header-cell[col-id^=metrics]')]
    .sort((one, other) => one.getBoundingClientRect().left - other.getBoundingClientRect().left)
    .map(cell => cell.innerText.trim())"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data_folder: Path) -> Iterator[tuple[Chromium, Plan]]:
    """The page of a study's link, on a server that has the runs of another study too."""
    root, port = tmp_path_factory.mktemp("view"), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        start_tracker(finished_study(root / "another", tiny, data_folder, seeds=(0,)), root / "another").sync()
        plan = finished_study(root / "shown", tiny, data_folder)
        tracker = start_tracker(plan, root / "shown")
        tracker.sync()
    with server(port, root), Chromium(root / "browser", 1440, 900) as browser:
        browser.open(tracker.view.replace("127.0.0.1:5000", f"127.0.0.1:{port}"))
        yield browser, plan


def cards(browser: Chromium) -> dict[str, dict[str, Any]]:
    return {card["title"]: card for card in browser.evaluate(CARDS)}


def test_the_first_view_shows_scores_and_curves_of_all_arms(opened: tuple[Chromium, Plan]) -> None:
    browser, plan = opened
    drawn = (
        "['score/target_following', 'loss/adversarial'].every(title => cards.some(c => c.title === title && c.traces.length))"
    )
    browser.wait_for(f"(cards => {drawn})({CARDS})")
    found = cards(browser)

    (bars,) = found["score/target_following"]["traces"]
    groups = {arm.name: f"tag.{ARM}.{arm.label}" for arm in plan.arms}
    worst_first = sorted(FOLLOWING, key=lambda arm: FOLLOWING[arm])
    assert bars["kind"] == "bar" and bars["text"] == [f"{FOLLOWING[arm]:.2f}" for arm in worst_first]
    assert bars["y"] == [groups[arm] for arm in worst_first]

    titles = [title for title in found if title]
    assert titles[: len(HEADLINES)] == [f"score/{name}" for name in HEADLINES]
    losses = [title for title in titles if title.startswith("loss/")]
    terms = [f"loss/{term}" for term in Config().loss.active()]
    assert len(losses) >= 3 and losses == terms[: len(losses)]
    assert found[losses[0]]["top"] < 800, "the first curves must be in the window"

    # The mean of an arm's seeds at each report, neither smoothed nor of the other study.
    curves = [trace for trace in found["loss/adversarial"]["traces"] if trace.get("mode") == "lines+markers"]
    assert len(curves) == 4 and all(curve["x"] == list(IMAGES) for curve in curves)
    factors = [np.mean([1 + 0.1 * n for n, t in enumerate(plan.trials) if t.arm == arm.name]) for arm in plan.arms]
    expected = sorted([factor * math.exp(-IMAGES[-1] / 16) for factor in factors])
    assert sorted(curve["y"][-1] for curve in curves) == pytest.approx(expected)


def test_the_table_is_one_click_away_and_its_columns_are_in_order(opened: tuple[Chromium, Plan]) -> None:
    browser, plan = opened
    browser.evaluate("document.querySelector('input[value=TABLE]').click()")
    tracked = [f"score/{name}" for name, metric in METRICS.items() if metric.tracked]
    browser.wait_for(f"({COLUMNS}).includes({json.dumps(tracked[0])})")
    shown = browser.evaluate(COLUMNS)
    assert shown == tracked[: len(shown)] and len(shown) > 2
    for arm in plan.arms:  # a row for each, with the number of its runs: those of the other study are left out
        browser.wait_for(f"document.body.innerText.replace(/\\s+/g, ' ').includes({json.dumps(f'Group: {arm.label} 2')})")

"""The report of a factorial study with planted scores: its numbers are summary.json's, half a study too, and in a browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.config import Config
from facegan.files import write_json
from facegan.metrics.card import Card, MetricSummary, Scores, summarise
from facegan.metrics.table import METRICS
from facegan.records import read_record
from facegan.report.forest_plot import forest_plots, interaction_matrices
from facegan.report.page import write_report
from facegan.study.analysis.effect_records import StudyEffects
from facegan.study.conclusions.arms import ScoreSummary
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA

CLIPS = [f"{500 + i}" for i in range(12)]
PIXEL, FEATURE, BOTH = 0.02, 0.05, -0.01
CHROMIUM = shutil.which("chromium")


def card(trial: Trial, levels: dict[str, int]) -> Card:
    """Planted: identity rises by PIXEL and FEATURE, and by twice BOTH less where both are on."""
    rng = np.random.default_rng([trial.seed, *trial.arm.encode()])
    p, f = [*levels.values(), 1, 1][:2]
    value = 0.9 + (PIXEL * p + FEATURE * f + BOTH * p * f) / 2 + rng.normal(0, 0.002)
    scores: Scores = {metric: np.full(len(CLIPS), 0.5) + rng.normal(0, 0.01, len(CLIPS)) for metric in METRICS}
    scores["identity_to_target"] = value + np.linspace(-0.02, 0.02, len(CLIPS)) + rng.normal(0, 0.001, len(CLIPS))
    return summarise(scores, CLIPS)


def study(root: Path, config: Config, done: float = 1.0, **design: Any) -> tuple[Plan, Summary]:
    """A study of which the first runs in the plan's order are done."""
    named = {"factors": ("pixel_space", "feature_space")} | design
    chosen = choose_design(named.pop("name", "factorial"), config, **named)
    data = PLANNED_DATA
    plan = make_plan(
        config,
        chosen.arms,
        design=chosen.name,
        preset="demo",
        seeds=(0, 1, 2),
        candidates=1,
        data=data,
        commit="",
        factors=chosen.factors,
    )
    open_study(root, plan)
    order = plan.run_order()
    levels = {arm.name: arm.levels for arm in plan.arms}
    for trial in order[: round(len(order) * done)]:
        folder = trial_folder(root, trial)
        folder.write_state("COMPLETED", images=32, seconds=2.0, passes={"generator": 128})
        folder.append_row(MetricsRow(32, 2.0, 0.0, {"gradient_share/pixel": 0.25, "loss/pixel": 1.0}))
        folder.write_scores(card(trial, levels[trial.arm]))
    write_json(root / "summary.json", summarise_study(root, plan, {}))
    summary = read_record(Summary, root / "summary.json", "")
    assert summary is not None
    write_report(root, summary, config)
    return plan, summary


def effects_of(summary: Summary) -> StudyEffects:
    assert summary.effects is not None
    return summary.effects


def numbers(value: Any) -> Iterator[float]:
    """All numbers of a JSON value."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield float(value)


def test_every_number_on_the_page_is_the_summarys(tiny: Config, tmp_path: Path) -> None:
    _, summary = study(tmp_path, tiny)
    page = (tmp_path / "report.html").read_text()
    shown = [float(value) for value in re.findall(r'<data value="([^"]+)">', page)]
    known = set(numbers(json.loads((tmp_path / "summary.json").read_text())))
    assert len(shown) > 150
    assert not [value for value in shown if value not in known]
    effects = {e.name: e for e in effects_of(summary).metrics["identity_to_target"].effects}
    assert effects["pixel_space"].estimate == pytest.approx(PIXEL, abs=0.005)
    assert effects["feature_space"].estimate == pytest.approx(FEATURE, abs=0.005)
    answers = {(row.factor, row.metric): row.answer for row in summary.answers}
    assert answers["feature_space", "identity_to_target"] == "helps"
    assert page.index("Do feature-space terms matter more") < page.index('id="effects"') < page.index('id="scores"')
    assert [claim.answer for claim in summary.claims] == ["yes", "no"]


def test_half_a_study_says_what_it_cannot_tell(tiny: Config, tmp_path: Path) -> None:
    _, summary = study(tmp_path, tiny, done=0.25)
    page = (tmp_path / "report.html").read_text()
    assert "Effects that these runs cannot estimate" in page
    assert {row.answer for row in summary.answers} <= {"too few runs"}
    assert "9 runs compared" not in page
    assert page.count("PENDING") >= 9
    _, empty = study(tmp_path / "empty", tiny, done=0)
    assert empty.answers == ()
    assert "Nothing has been evaluated yet" in (tmp_path / "empty" / "report.html").read_text()


def test_an_aliased_interaction_is_never_without_its_alias(tiny: Config, tmp_path: Path) -> None:
    factors = ("pixel", "self_consistency", "triple_consistency", "perceptual")
    _, summary = study(tmp_path, tiny, name="fraction", factors=factors, size="half")
    page = re.sub(r"\s+", " ", (tmp_path / "report.html").read_text())
    effects = effects_of(summary).metrics["identity_to_target"].effects
    pairs = [effect for effect in effects if effect.order == 2]
    assert pairs
    assert all(len(effect.members) == 2 for effect in pairs)
    for effect in pairs:
        first, second = (" x ".join(word).replace("_", " ") for word in effect.members)
        for place in re.finditer(re.escape(first), page):
            assert second in page[max(0, place.start() - 90) : place.end() + 90], effect.name


def test_places_on_the_forest_plot(tiny: Config, tmp_path: Path) -> None:
    effects = study(tmp_path, tiny)[1].effects
    plot = forest_plots(effects)[0]
    for row in plot.rows:
        assert row.bar is not None
        assert row.bar[0] < row.at < row.bar[1]
        assert (row.at > 50) == (row.effect.estimate > 0)
        assert 3.9 <= row.bar[0] <= row.bar[1] <= 96.1
    cells = interaction_matrices(effects)["identity_to_target"]
    assert [[cell is not None for cell in row] for row in cells] == [[True, False], [True, True]]
    assert cells[1][1] is not None
    assert cells[1][1].strength == 1.0


def dump(page: str, folder: Path, script: str, width: int, *flags: str) -> str:
    """The document in headless Chromium after a script of the test's own, without any network."""
    assert CHROMIUM is not None
    (folder / "page.html").write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900"]
    address = (folder / "page.html").as_uri()
    done = subprocess.run([*command, *flags, "--dump-dom", address], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_in_a_browser(tiny: Config, tmp_path: Path) -> None:
    """Tables sort at a click on their head, and no width of a screen lets the page itself scroll sideways."""
    study(tmp_path, tiny)
    page = (tmp_path / "report.html").read_text()
    sort = """const heads = document.querySelectorAll("#parity-table thead th"); heads[1].click(); heads[1].click();
        const rows = [...document.querySelectorAll("#parity-table tbody tr")];
        document.title = rows.map(row => row.cells[1].textContent).join("");"""
    assert "<title>" + "2" * 4 + "1" * 4 + "0" * 4 + "</title>" in dump(page, tmp_path, sort, 1200)
    study(tmp_path / "loo", tiny, name="loo", factors=("self_consistency", "triple_consistency", "perceptual", "identity"))
    long = (tmp_path / "loo" / "report.html").read_text()
    assert "self consistency (if no interactions)" in long
    wide = "document.title = document.documentElement.scrollWidth - document.documentElement.clientWidth;"
    for shown in (page, long):
        for width, flags in ((1280, ()), (1180, ()), (500, ()), (500, ("--force-dark-mode",))):
            assert "<title>0</title>" in dump(shown, tmp_path, wide, width, *flags), width
    # On a desktop no table of effects needs a scroll bar of its own either.
    boxes = """document.title = [...document.querySelectorAll("table.effects")].map(t => t.parentNode)
        .filter(box => box.scrollWidth > box.clientWidth).length;"""
    assert "<title>0</title>" in dump(long, tmp_path, boxes, 1180)


def test_a_claims_answer_is_said_once_and_the_budget_at_the_top(tiny: Config, tmp_path: Path) -> None:
    _, summary = study(tmp_path, tiny, done=0.25)
    page = re.sub(r"<[^>]+>", "", (tmp_path / "report.html").read_text())
    claims = page[page.index("Do feature-space terms matter more") : page.index("What each factor does")].lower()
    assert summary.claims[0].answer == "too few runs"
    assert claims.count("too few runs") == len(summary.claims)
    assert page.index("Every arm was given equal images") < page.index("Question and short answer")


def test_a_metric_without_weights_names_the_command_that_has_the_flag(tiny: Config, tmp_path: Path) -> None:
    _, summary = study(tmp_path, tiny)
    missing = ScoreSummary(None, None, "not measured: weights missing (--evaluators.lpips_weights)")
    first = replace(summary.arms[0], scores=summary.arms[0].scores | {"lpips": missing})
    write_report(tmp_path, replace(summary, arms=(first, *summary.arms[1:])), tiny)
    page = (tmp_path / "report.html").read_text()
    command = f"python jobs/evaluate.py --checkpoint {tmp_path} --evaluators.lpips_weights FILE"
    assert command in page and "--evaluators.kid_weights" not in page


def test_an_arm_without_any_face_is_told_by_the_area_in_words(tiny: Config, tmp_path: Path) -> None:
    plan, _ = study(tmp_path, tiny)
    for trial in (t for t in plan.trials if t.arm == "base"):
        folder = trial_folder(tmp_path, trial)
        found = folder.scores()
        assert found is not None
        folder.write_scores(found | {"landmark_error": MetricSummary(None, None, dict.fromkeys(CLIPS))})
    summary = summarise_study(tmp_path, plan, {})
    write_report(tmp_path, summary, tiny)
    page = (tmp_path / "report.html").read_text()
    assert "landmark_error" not in effects_of(summary).metrics
    assert page.count("is analysed instead. The landmark error stays in the table of scores") == 2
    assert "landmark area up to 0.08 (no face counts as failure)" in page[page.index("What each factor does") :]
    assert "(if no interactions)" not in page
    assert "landmark_error" in page[page.index('id="card"') :]

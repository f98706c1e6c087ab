"""Figures, summary and report of a small study in which one arm has no checkpoint, and verdicts on planted scores."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from matplotlib import colormaps

from facegan import checkpoint
from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.files import write_json
from facegan.inference import image_generator
from facegan.metrics.card import Card, Scores, summarise
from facegan.metrics.pairs import images_of
from facegan.metrics.table import METRICS
from facegan.records import read_record
from facegan.report.figure2 import NO_RESULT, choose_rows, figure2, figure2_tiles, write_figure2
from facegan.report.loss_curves import active_terms, losses_figure, write_losses_figure
from facegan.report.page import write_report
from facegan.report.sheets import contact_sheet, landmark_tile, sample_grid
from facegan.step import new_state
from facegan.study.analysis.model_selection import best_generator, best_trials
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.train import train
from tests.planning import PLANNED_DATA

CLIPS = [f"{500 + i}" for i in range(12)]
WITHOUT_RESULT = "no_feature"


def planted(face_error: float, landmark_error: float, likeness: float, seed: int = 0) -> Card:
    """A metric card of twelve clips about the given means; clips differ much from each other, rows little."""
    hard = np.linspace(-5, 5, len(CLIPS))
    noise = np.random.default_rng(seed).normal(0, 0.3, len(CLIPS))
    scores: Scores = {metric: np.full(len(CLIPS), 0.9) for metric in METRICS}
    scores["face_error"] = face_error + hard + noise
    scores["landmark_error"] = landmark_error + 0.01 * (hard + noise)
    scores["source_likeness"] = likeness + 0.01 * noise
    return summarise(scores, CLIPS)


REFERENCES = {"real target": planted(0, 0.08, 0.0), "source copied": planted(29, 0.25, 1.0)}


def make(root: Path, config: Config, **options: Any) -> Plan:
    """The plan of Figure 2's arms, opened in a folder."""
    data = PLANNED_DATA
    named: dict[str, Any] = {"design": "figure2", "preset": "demo", "commit": "<abc>", "data": data}
    named |= {"seeds": [0], "candidates": 1} | options
    plan = make_plan(config, choose_design("figure2", Config()).arms, **named)
    open_study(root, plan)
    return plan


def give(root: Path, trial: Trial, card: Card | None = None, face_error: float | None = None) -> None:
    """Leave in a trial's folder what a finished run leaves, without running it."""
    folder = trial_folder(root, trial)
    folder.write_state("COMPLETED", images=32, seconds=2.0, passes={"generator": 128, "discriminator": 96, "vgg": 64})
    if card:
        folder.write_scores(card)
    if face_error is not None:
        folder.checkpoint.mkdir()
        folder.append_row(MetricsRow(32, 2.0, 0.0, {"validation/face_error": face_error}))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data: FaceData) -> tuple[Path, Plan]:
    """Four arms really trained for a few steps, but for one that never began."""
    root = tmp_path_factory.mktemp("study")
    plan = make(root, tiny)
    for trial in plan.trials:
        if trial.arm == WITHOUT_RESULT:
            continue
        folder, state = trial_folder(root, trial), new_state(trial.config, torch.device("cpu"))
        folder.path.mkdir(parents=True)
        for progress in train(state, data):
            errors = {"validation/face_error": 30.0} if progress.at_checkpoint else {}
            folder.append_row(MetricsRow(progress.images, progress.seconds, 0.0, progress.metrics | errors))
        checkpoint.save(state, folder.checkpoint)
        give(root, trial, planted(22 if trial.arm == "full" else 29, 0.15, 0.4, seed=len(trial.arm)))
    return root, plan


def test_figure2_tiles_are_what_their_columns_say(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    pairs = choose_rows(data, 6)
    assert pairs.clip == list(data.clips("test", 0.0)), "one row for each test clip, none of training"
    rows = figure2_tiles(root, plan, data)
    assert [len(row) for row in rows] == [12, 12]
    for i, row in enumerate(rows):
        source, target = int(pairs.source[i]), int(pairs.target[i])
        assert {source, target} <= set(data.clips("test", 0.0)[pairs.clip[i]].tolist())
        scale = len(row[0]) // data.size
        assert (row[0] == landmark_tile(data.points[source], data.size, scale)).all()
        assert (row[1] == data.image(source)).all()
        assert (row[2] == landmark_tile(data.points[target], data.size, scale)).all()
        assert (row[3] == data.image(target)).all()
    assert (rows[0][0] != rows[0][2]).any()


def test_figure2_shows_each_arm_in_its_own_column_and_viridis_errors(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    pairs, rows = choose_rows(data, 6), figure2_tiles(root, plan, data)
    viridis = colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    for a, trial in enumerate(plan.trials):
        if trial.arm == WITHOUT_RESULT:
            assert all((row[c] == NO_RESULT).all() for row in rows for c in (4 + a, 8 + a))
            continue
        generator, config = checkpoint.load_generator(trial_folder(root, trial).checkpoint)
        drawn = image_generator(generator, config, torch.device("cpu"))(
            images_of(data, pairs.source), data.points[pairs.target]
        )
        for i, row in enumerate(rows):
            assert (row[4 + a] == drawn[i]).all(), trial.arm
            error = np.abs(drawn[i].astype(float) - data.image(int(pairs.target[i]))).mean(axis=-1)
            place = np.minimum((np.minimum(error / 96, 1) * 256).astype(int), 255)
            assert np.abs(row[8 + a].astype(float) - viridis[place].astype(float)).max() <= 1
    assert (rows[0][4] != rows[0][7]).any(), "two arms drew the same image, so their order is not tested"


def test_figure2_pairs_differ_more_than_random_ones(data: FaceData) -> None:
    pairs = choose_rows(data, 6)
    centred = data.points - data.points.mean(axis=1, keepdims=True)
    chosen = np.abs(centred[pairs.source] - centred[pairs.target]).mean(axis=(1, 2))
    for motion, clip in zip(chosen, pairs.clip, strict=True):
        rows = data.clips("test", 0.0)[clip]
        everything = np.abs(centred[rows][:, None] - centred[rows][None]).mean(axis=(2, 3))
        assert motion > np.median(everything[everything > 0])


def test_figure2_enlarges_without_blurring(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    write_figure2(root, plan, data)
    sheet = cv2.imread(str(root / "figure2.png"))
    assert sheet is not None
    tile = figure2_tiles(root, plan, data)[0][1]
    large = tile.repeat(4, axis=0).repeat(4, axis=1)[:, :, ::-1]
    found = cv2.matchTemplate(sheet, np.ascontiguousarray(large), cv2.TM_SQDIFF)
    assert found.min() <= large.size, "the input image, each pixel a square of four, is not in the figure"
    texts = [t.get_text() for axes in figure2(root, plan, data).axes for t in axes.texts]
    assert [t for t in texts if t in ("-Cons.", "-Pixel", "-Feature", "Full")] == ["-Cons.", "-Pixel", "-Feature", "Full"]
    assert texts.count("no result") == 2 * 2


def test_losses_figure_has_the_active_terms_and_marks_the_absent(study: tuple[Path, Plan]) -> None:
    root, plan = study
    terms = ["adversarial", "pixel", "self_consistency", "triple_consistency", "perceptual", "identity"]
    assert active_terms(plan) == terms
    bars, *panels = losses_figure(root, plan).axes
    assert [t.get_text().replace("\n", "_") for t in bars.get_xticklabels()] == terms
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles[:7] == [*(t.replace("_", " ") for t in terms), "discriminator accuracy"]
    assert titles[7].startswith("face error, validation")
    pixel = panels[titles.index("pixel")]
    assert [np.size(line.get_xdata()) for line in pixel.lines] == [4, 0, 0, 4], "-Pixel and the arm without rows draw no curve"
    # Three arms have rows: two terms are off in -Cons. and one in -Pixel.
    assert len(bars.patches) == 3 * 6 - 3
    assert len(bars.lines) == 3
    rows = trial_folder(root, plan.trials[0]).rows()
    assert f"{np.log10(rows[-1].metrics['loss/pixel']):.1f}" in [t.get_text() for t in bars.texts]


def test_verdicts_on_planted_scores(tmp_path: Path, tiny: Config) -> None:
    plan = make(tmp_path, tiny)
    copying, following, drifting, broken = plan.trials
    give(tmp_path, copying, planted(29.05, 0.25, 0.93, seed=1))
    give(tmp_path, following, planted(21.9, 0.14, 0.36, seed=2))
    give(tmp_path, drifting, planted(29.02, 0.25, 0.49, seed=3))
    give(tmp_path, broken, planted(60, 0.5, 0.5, seed=4))
    arms = summarise_study(tmp_path, plan, REFERENCES).arms
    assert [a.outcome for a in arms] == ["copies", "follows", "between", "worse"]
    assert arms[0].verdict.startswith("copies the source: source likeness 0.93")
    # Clips differ by ten grey levels, so that only the pairing by clip can tell 7 apart this surely.
    assert "face error 21.9 against 29" in arms[1].verdict
    low, high = arms[1].against_copied_source["face_error"].interval
    assert -8 < low < high < -6


def test_too_few_clips_give_no_verdict(tmp_path: Path, tiny: Config) -> None:
    plan = make(tmp_path, tiny)
    give(tmp_path, plan.trials[0], summarise({metric: np.array([0.9, 0.9]) for metric in METRICS}, ["500", "501"]))
    arms = summarise_study(tmp_path, plan, None).arms
    assert arms[0].verdict.startswith("too few test clips for a verdict: 2")
    assert arms[1].verdict == "no result: 1 of 1 trials PENDING"


def test_an_arm_is_the_mean_over_its_seeds_best_candidates(tmp_path: Path, tiny: Config) -> None:
    plan = make(tmp_path, tiny, seeds=[1, 2], candidates=2)
    full = [t for t in plan.trials if t.arm == "full"]
    means = {(1, 0): (20, 9.0), (1, 1): (50, 9.5), (2, 0): (70, 8.0), (2, 1): (30, 7.0)}
    for trial in full:
        face_error, validation = means[trial.seed, trial.candidate]
        give(tmp_path, trial, planted(face_error, 0.1, 0.3), face_error=validation)
    arm = summarise_study(tmp_path, plan, REFERENCES).arms[3]
    chosen = [t for t in full if (t.seed, t.candidate) in ((1, 0), (2, 1))]
    assert arm.scored == tuple(t.key for t in chosen)
    assert arm.trials_completed == 4
    expected = np.mean([trial_folder(tmp_path, t).scores()["face_error"].mean for t in chosen])  # type: ignore[index, arg-type]
    assert arm.scores["face_error"].mean == pytest.approx(expected)
    assert best_trials(plan, tmp_path) == {"full": chosen[0]}


def test_candidate_0_wins_a_tie_and_only_checkpoints_count(tmp_path: Path, tiny: Config) -> None:
    plan = make(tmp_path, tiny, candidates=3)
    pixel = [t for t in plan.trials if t.arm == "no_pixel"]
    give(tmp_path, pixel[0], face_error=9.0)
    give(tmp_path, pixel[1], face_error=9.0)
    give(tmp_path, pixel[2], face_error=1.0)
    trial_folder(tmp_path, pixel[2]).checkpoint.rmdir()
    assert best_trials(plan, tmp_path) == {"no_pixel": pixel[0]}


class Cells(HTMLParser):
    """The (value, text) of every <data> element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._value = dict(attrs)["value"] if tag == "data" else self._value

    def handle_data(self, text: str) -> None:
        if self._value is not None:
            self.found.append((self._value, text))
            self._value = None


def test_the_generator_to_pass_on_is_no_arms_best_seed(tmp_path: Path, tiny: Config) -> None:
    plan = make(tmp_path, tiny, seeds=[0, 1, 2])
    errors = {"full": [20.0, 4.0, 12.0], "no_pixel": [10.0, 16.0, 13.0], "no_feature": [1.0, 99.0, 1.0]}
    trials = {(t.arm, t.seed): t for t in plan.trials}
    assert best_generator(plan, tmp_path) is None
    for arm, found in errors.items():
        for seed, error in enumerate(found):
            give(tmp_path, trials[arm, seed], face_error=error)
    assert best_generator(plan, tmp_path) == trials["full", 2]
    # An arm of which a run diverged does not compete.
    trial_folder(tmp_path, trials["full", 1]).write_state("DIVERGED", images=32, seconds=2.0, passes={})
    assert best_generator(plan, tmp_path) == trials["no_pixel", 2]


@pytest.fixture(scope="module")
def drawn(study: tuple[Path, Plan], data: FaceData) -> tuple[Path, Summary]:
    """The study's folder with its pictures, and its summary as read back."""
    root, plan = study
    write_figure2(root, plan, data)
    write_losses_figure(root, plan)
    cv2.imwrite(str(root / "contact_sheet.png"), contact_sheet(data))
    write_json(root / "summary.json", summarise_study(root, plan, REFERENCES))
    summary = read_record(Summary, root / "summary.json", "")
    assert summary is not None
    return root, summary


@pytest.fixture(scope="module")
def page(drawn: tuple[Path, Summary], tiny: Config) -> str:
    """The report of that study."""
    write_report(*drawn, tiny)
    return (drawn[0] / "report.html").read_text()


def test_score_table_equals_the_summary(drawn: tuple[Path, Summary], page: str) -> None:
    summary = drawn[1]
    rows = [*summary.references.values(), *(arm.scores for arm in summary.arms)]
    entries = [row[metric] for row in rows if row for metric in METRICS]
    numbers = [n for entry in entries for n in (entry.mean, *(entry.interval or ()))]
    cells, start = Cells(), page.index('id="scores"')
    cells.feed(page[start : page.index("</table>", start)])
    assert [float(value) for value, _ in cells.found] == numbers
    for value, shown in cells.found:
        digits = len(shown.partition(".")[2])
        assert digits >= 1
        assert float(shown) == pytest.approx(float(value), abs=0.5001 * 10**-digits)
    table = page[start : page.index("</table>", start)]
    assert table.count("<td>-</td>") == len(METRICS), "the arm without a result has a dash in each column"


def test_report_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r"https?:|src=['\"]?//|@import|url\(|<link|<script [^>]", page)
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/") for source in sources)


def test_report_says_what_it_rests_on(drawn: tuple[Path, Summary], page: str) -> None:
    study, data, trials = drawn[1].study, drawn[1].data, drawn[1].trials
    head = page[: page.index("Question and short answer")]
    assert "SYNTHETIC" in head
    assert study.vgg in head
    assert "One seed per arm" in page
    assert "&lt;abc&gt;" in page
    assert "<abc>" not in page
    assert "1 of 1 trials PENDING" in page
    for name in ("loss.triple_consistency", study.id, data.sha256, *(t.key for t in trials)):
        assert name in page


def test_real_faces_are_embedded_only_on_request(drawn: tuple[Path, Summary], tiny: Config, tmp_path: Path) -> None:
    for name in ("figure2.png", "losses.png", "contact_sheet.png"):
        (tmp_path / name).write_bytes((drawn[0] / name).read_bytes())
    real = replace(drawn[1], data=replace(drawn[1].data, synthetic=False))
    write_report(tmp_path, real, tiny)
    text = (tmp_path / "report.html").read_text()
    assert text.count('src="data:image/') == 1, "only the plots show no face"
    assert "SYNTHETIC" not in text
    assert f"{tmp_path.resolve()}/figure2.png" in text
    write_report(tmp_path, real, tiny, include_faces=True)
    assert (tmp_path / "report.html").read_text().count('src="data:image/') == 3


def test_sheets_hold_the_pictures_they_show(data: FaceData) -> None:
    rows = np.array([0, 1])
    images = images_of(data, rows)
    grid = sample_grid(images, data.points[rows], images[::-1], images)
    side, gap = 96, 3
    column = [26 + r * (side + gap) for r in (0, 1)]
    for c, tiles in ((0, images), (2, images[::-1]), (3, images)):
        left = gap + c * (side + gap)
        for top, tile in zip(column, tiles, strict=True):
            assert (grid[top : top + side : 3, left : left + side : 3] == tile).all()
    sheet = contact_sheet(data, people=3, frames=2)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (52 + 3 * (side + gap), 118 + 2 * (side + gap), 3)

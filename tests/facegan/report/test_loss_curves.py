"""The figure of the loss terms."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from facegan.config import Config
from facegan.report.loss_curves import ClockName, LossesFigure, active_terms
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.facegan.report.factorial_study import factorial_study


def test_figure_shows_active_terms_and_marks_absent_ones(study: tuple[Path, Plan]) -> None:
    root, plan = study
    terms = ["adversarial", "pixel", "self_consistency", "triple_consistency", "perceptual", "identity"]
    assert active_terms(plan) == terms
    bars, *panels = LossesFigure(root, plan).over("seconds").axes
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


def test_the_legend_shows_each_line_style_and_fits_the_figure(study: tuple[Path, Plan], tiny: Config, tmp_path: Path) -> None:
    """A handle has the dash, the dot and the next dash of a dash-dotted line."""
    eight, _ = factorial_study(tmp_path, tiny, factors=("pixel", "consistency", "feature_space"))
    for root, plan in (study, (tmp_path, eight)):
        figure = LossesFigure(root, plan).over("seconds")
        figure.draw_without_rendering()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width
        handle = next(line for line in legend.get_lines() if line.get_linestyle() == "-.")
        dash, gap, dot, last_gap = mpl.rcParams["lines.dashdot_pattern"]
        assert np.ptp(handle.get_xdata()) > handle.get_linewidth() * (2 * dash + gap + dot + last_gap)


def test_the_same_figure_is_drawn_over_seconds_and_over_images(tiny: Config, tmp_path: Path) -> None:
    """The curves and the bands between the runs move, and nothing stays of the clock before."""
    plan, _ = factorial_study(tmp_path, tiny)
    seconds = [2.0 + 0.5 * seed for seed in plan.seeds]
    for trial in plan.trials:
        folder = trial_folder(tmp_path, trial)
        (folder.path / "metrics.jsonl").unlink()
        for images in (32, 64, 96):
            metrics = {"loss/pixel": 1.0 + trial.seed}
            folder.append_row(MetricsRow(images, seconds[trial.seed] * images / 32, 0.0, metrics))
    drawn = LossesFigure(tmp_path, plan)
    mean = float(np.mean(seconds))
    over_images: tuple[ClockName, list[float], str] = ("images", [32.0, 64.0, 96.0], "training images")
    over_seconds: tuple[ClockName, list[float], str] = ("seconds", [mean, 2 * mean, 3 * mean], "training time, seconds")
    for clock, along, label in (over_images, over_seconds, over_images):
        panel = next(a for a in drawn.over(clock).axes if a.get_title(loc="left") == "pixel")
        (path,) = panel.collections[0].get_paths()
        corners = np.asarray(path.vertices, np.float64)
        assert list(np.asarray(panel.lines[0].get_xdata())) == pytest.approx(along)
        assert (corners[:, 0].min(), corners[:, 0].max()) == pytest.approx((along[0], along[-1]))
        assert (corners[:, 1].min(), corners[:, 1].max()) == (1, 6)
        end = 96 if clock == "images" else 3 * max(seconds)
        assert panel.get_xlabel() == label and panel.get_xlim() == pytest.approx((0, end * 1.03))


def test_no_text_leaves_the_figure_or_covers_a_panel(study: tuple[Path, Plan], tiny: Config, tmp_path: Path) -> None:
    eight, _ = factorial_study(tmp_path, tiny, factors=("pixel", "consistency", "feature_space"))
    for root, plan in (study, (tmp_path, eight)):
        figure = LossesFigure(root, plan).over("seconds")
        figure.draw_without_rendering()
        found = [artist.get_tightbbox() for artist in (*figure.axes, *figure.legends)]
        boxes = [box for box in found if box is not None]
        assert len(boxes) == len(found)
        for i, box in enumerate(boxes):
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[:i])

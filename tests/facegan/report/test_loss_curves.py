"""The figure of the loss terms."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from facegan.config import Config
from facegan.report.loss_curves import active_terms, losses_figure
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.report.factorial_study import factorial_study


def test_figure_shows_active_terms_and_marks_absent_ones(study: tuple[Path, Plan]) -> None:
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


def test_the_legend_shows_each_line_style_and_fits_the_figure(study: tuple[Path, Plan], tiny: Config, tmp_path: Path) -> None:
    """A handle has the dash, the dot and the next dash of a dash-dotted line."""
    eight, _ = factorial_study(tmp_path, tiny, factors=("pixel", "consistency", "feature_space"))
    for root, plan in (study, (tmp_path, eight)):
        figure = losses_figure(root, plan)
        figure.draw_without_rendering()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width
        handle = next(line for line in legend.get_lines() if line.get_linestyle() == "-.")
        dash, gap, dot, last_gap = mpl.rcParams["lines.dashdot_pattern"]
        assert np.ptp(handle.get_xdata()) > handle.get_linewidth() * (2 * dash + gap + dot + last_gap)

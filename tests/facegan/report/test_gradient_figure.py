"""The figure of the gradient diagnostics and its sentences on the page."""

from pathlib import Path

import numpy as np

from facegan.config import Config
from facegan.report.gradient_figure import gradient_figure, write_gradient_figure
from facegan.report.page import write_report
from facegan.study.conclusions.gradients import RULE
from facegan.study.conclusions.summary import summarise_study
from tests.facegan.study.planted_gradients import gradients_study, row
from tests.known import known

ROWS = {8: row(0.9, 1.0), 28: row(0.6, -0.4), 32: row(0.7, -0.8)}


def test_each_arm_has_shares_cosines_and_the_cosines_of_the_last_quarter(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [ROWS, ROWS], "no_pixel": [{8: {"share/identity": 1.0}}]})
    figure = known(gradient_figure(tmp_path, plan))
    single, full = (figure.axes[start : start + 3] for start in (0, 3))
    assert [axes.get_title(loc="left") for axes in single] == ["-Pixel"] * 3
    assert [axes.get_title(loc="left") for axes in full] == ["Full"] * 3
    values = [np.asarray(axes.images[0].get_array()) for axes in full]
    np.testing.assert_allclose(values[0], [[0.9, 0.6, 0.7], [0.1, 0.4, 0.3]])
    np.testing.assert_allclose(values[1], [[1.0, -0.4, -0.8]])
    np.testing.assert_allclose(values[2], [[1.0, -0.6], [-0.6, 1.0]])
    assert [label.get_text() for label in full[0].get_yticklabels()] == ["Pix 65%", "Id 35%"]
    assert [label.get_text() for label in full[1].get_yticklabels()] == ["Pix ~ Id"]
    assert [label.get_text() for label in full[2].get_xticklabels()] == ["Pix", "Id"]
    assert [axes.texts[0].get_text() for axes in single[1:]] == ["a single term"] * 2


def test_nothing_is_drawn_where_nothing_was_measured(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [{8: {}}]})
    write_gradient_figure(tmp_path, plan)
    assert not (tmp_path / "gradient_diagnostics.png").exists()


def test_the_page_shows_a_sentence_for_each_arm_and_the_rule(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [ROWS, ROWS]})
    (tmp_path / "gradient_diagnostics.png").write_bytes(b"a drawn figure")
    summary = summarise_study(tmp_path, plan)
    write_report(tmp_path, summary, tiny)
    page = (tmp_path / "report.html").read_text()
    assert summary.gradient_conclusions[0].sentence in page and "Conflict: pixel and identity (cosine -0.60" in page
    assert RULE in page

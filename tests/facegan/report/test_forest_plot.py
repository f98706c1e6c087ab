"""Positions on the forest plot, and the matrix of interactions."""

from pathlib import Path

from facegan.config import Config
from facegan.report.forest_plot import forest_plots, interaction_matrices
from tests.facegan.report.factorial_study import factorial_study


def test_positions_on_the_forest_plot_and_cells_of_the_matrix(tiny: Config, tmp_path: Path) -> None:
    effects = factorial_study(tmp_path, tiny)[1].effects
    plot = forest_plots(effects)[0]
    for row in plot.rows:
        assert row.bar is not None
        assert row.bar[0] < row.at < row.bar[1]
        assert (row.at > 50) == (row.effect.estimate > 0)
        assert 3.9 <= row.bar[0] <= row.bar[1] <= 96.1
    cells = interaction_matrices(effects)["identity_kept"]
    assert [[cell is not None for cell in row] for row in cells] == [[True, False], [True, True]]
    assert cells[1][1] is not None
    assert cells[1][1].strength == 1.0

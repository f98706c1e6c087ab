"""The candidates of a search by how far each follows the target and keeps the person, with the front and the finalists."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facegan.study.search.results import ArmSearch, CandidateResult, SearchResult

_COLUMNS = 2
_STOPPED, _WHOLE, _FINALIST = "#9a9a9a", "#2b6cb0", "#c05621"


def write_search_figure(study: Path, result: SearchResult) -> None:
    """Draw search.png into the study folder, a panel for each arm."""
    search_figure(result).savefig(study / "search.png")


def search_figure(result: SearchResult) -> Figure:
    """Across and up are the coordinates of the plane, on validation people."""
    count = len(result.arms)
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(6.4 * columns, 5.2 * rows + 0.5), dpi=100, facecolor="white", layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, arm in zip(panels, result.arms, strict=False):
        _draw(axes, arm)
    for axes in panels[count:]:
        axes.set_axis_off()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=10.5)
    return figure


def _draw(axes: Axes, arm: ArmSearch) -> None:
    axes.set_title(arm.label, loc="left", fontsize=12)
    axes.grid(color="#e4e4e4", lw=0.7)
    axes.set_axisbelow(True)
    axes.plot(1, 1, "*", color="#666666", ms=13, label="real target")
    measured = [candidate for candidate in arm.candidates if candidate.last]
    groups = {
        "stopped early, where it was then": [c for c in measured if c.state != "COMPLETED"],
        "trained to the end": [c for c in measured if c.state == "COMPLETED" and not c.is_on_front],
        "on the front: no other one is better in all distances": [c for c in measured if c.is_on_front],
    }
    styles = ((_STOPPED, "white"), (_WHOLE, "white"), (_WHOLE, _WHOLE))
    for (label, found), (edge, face) in zip(groups.items(), styles, strict=True):
        across, up = [x for x, _ in map(_place, found)], [y for _, y in map(_place, found)]
        axes.plot(across, up, "o", color=edge, mfc=face, mew=1.5, ms=8, ls="", label=label)
    for name, found, marker in (
        ("finalist, trained again", [c for c in measured if c.is_finalist], "s"),
        ("as configured", [c for c in measured if not c.number], "D"),
    ):
        across, up = [x for x, _ in map(_place, found)], [y for _, y in map(_place, found)]
        colour = _FINALIST if marker == "s" else "#1a1a1a"
        axes.plot(across, up, marker, color=colour, mfc="none", mew=1.8, ms=15 if marker == "s" else 12, ls="", label=name)
    for candidate in measured:
        if candidate.state == "COMPLETED":
            axes.annotate(str(candidate.number), _place(candidate), (9, 6), textcoords="offset points", fontsize=9.5)
    axes.set_xlabel("follows the target: 0 = source copied, 1 = real target", fontsize=10.5)
    axes.set_ylabel("keeps the person: 0 = another person, 1 = the person", fontsize=10.5)


def _place(candidate: CandidateResult) -> tuple[float, float]:
    assert candidate.last is not None, "only measured candidates are drawn"
    following, identity, _ = candidate.last.distances
    return 1 - following, 1 - identity

"""Effects as the report's page draws them: where the bars of the forest plot begin and end, and the matrix of interactions."""

from typing import Any

_HALF = 46.0
"""Percent of the plot's width from its middle, zero, to the longest interval's end."""


def forest(effects: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A forest plot a headline metric: its rows, each with the effect's numbers and places on the plot in percent."""
    return [] if effects is None else [_plot(found) for found in effects["metrics"].values()]


def _plot(found: dict[str, Any]) -> dict[str, Any]:
    drawn = [(effect, effect["interval"] or effect["bootstrap"]) for effect in found["effects"]]
    ends = [abs(value) for effect, interval in drawn for value in (effect["estimate"], *(interval or ()))]
    reach = max(ends, default=0.0) or 1.0

    def place(value: float) -> float:
        return round(50 + _HALF * value / reach, 2)

    rows = [
        {**effect, "at": place(effect["estimate"]), "bar": [place(v) for v in interval] if interval else None}
        for effect, interval in drawn
    ]
    return {**found, "rows": rows, "reach": reach}


def matrix(effects: dict[str, Any] | None, metric: str) -> list[list[dict[str, Any] | None]]:
    """Factors by factors: main effects on the diagonal, interactions below it; None above, or where nothing can be told.

    `strength` is the estimate over the largest one, with the sign of what it does: above 0 it helps.
    """
    if effects is None:
        return []
    found = effects["metrics"][metric]["effects"]
    largest = max((abs(effect["estimate"]) for effect in found), default=0.0) or 1.0
    cells = {frozenset(word): effect for effect in found for word in effect["members"] if len(word) <= 2}
    factors = effects["factors"]
    return [
        [_cell(cells.get(frozenset((a, b))), largest) if j <= i else None for j, b in enumerate(factors)]
        for i, a in enumerate(factors)
    ]


def _cell(effect: dict[str, Any] | None, largest: float) -> dict[str, Any] | None:
    if effect is None:
        return None
    size = abs(effect["estimate"]) / largest
    return {**effect, "strength": size if effect["helps"] else -size}

"""An evaluation as lines of text: the card of every row, all clips first, then category by category."""

from collections.abc import Mapping
from typing import Any

from facegan.metrics.discrimination import sentence
from facegan.metrics.table import METRICS, formatted

_WIDTH = 12


def score_lines(result: dict[str, Any]) -> list[str]:
    """Reference rows first, then the checkpoints; '-' where nothing was measured, and below why."""
    rows = {name: card for name, card in result["references"].items()}
    rows |= {found["label"]: found["scores"] for found in result["checkpoints"]}
    clips = len(next(iter(rows.values()))["face_error"]["clips"])
    lines = _table(f"all {clips} clips", rows)
    categories = next(iter(rows.values()))["face_error"]["categories"]
    for category, found in categories.items() if len(categories) > 1 else ():
        inside = {
            row: {m: entry.get("categories", {}).get(category, {}) for m, entry in card.items()} for row, card in rows.items()
        }
        lines += ["", *_table(f"{category}, {found['clips']} clips", inside)]
    notes = {f"{metric}: {entry['note']}" for card in rows.values() for metric, entry in card.items() if "note" in entry}
    return [*lines, "", *sorted(notes), sentence(result["discrimination"], "identity judge")]


def _table(title: str, rows: Mapping[str, dict[str, Any]]) -> list[str]:
    side = max(len(title), *map(len, rows)) + 2
    halves = [metric.partition("_") for metric in METRICS]
    lines = [
        title.ljust(side) + "".join(f"{first:>{_WIDTH}}" for first, _, _ in halves),
        " " * side + "".join(f"{rest.replace('_', ' '):>{_WIDTH}}" for _, _, rest in halves),
    ]
    return lines + [
        name.ljust(side) + "".join(f"{_cell(card, metric):>{_WIDTH}}" for metric in METRICS) for name, card in rows.items()
    ]


def _cell(card: dict[str, Any], metric: str) -> str:
    return formatted(metric, card.get(metric, {}).get("mean"))


def study_table(summary: dict[str, Any]) -> list[str]:
    """The main scores of a study as lines of text: reference rows first, then the arms."""
    rows = dict(summary["references"]) | {arm["label"]: arm["scores"] for arm in summary["arms"]}
    shown = [name for name, metric in METRICS.items() if metric.console]
    lines = [" " * 17 + "".join(f"{metric.replace('_', ' '):>20}" for metric in shown)]
    return lines + [f"  {name:<15}" + "".join(f"{_cell(card, metric):>20}" for metric in shown) for name, card in rows.items()]

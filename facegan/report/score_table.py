"""Scores as lines of text for the console: of a study, of evaluated checkpoints, of the candidates of a search."""

from collections.abc import Iterable, Mapping

from facegan.metrics.card import Card
from facegan.metrics.discrimination import Discrimination, sentence
from facegan.metrics.table import METRICS, formatted
from facegan.study.conclusions.summary import Summary

_WIDTH = 12

Means = Mapping[str, float | None]
"""By metric."""


def score_lines(references: Mapping[str, Card], checkpoints: Mapping[str, Card], discrimination: Discrimination) -> list[str]:
    """A table over all clips, one for each category and one of pairs with a large change of pose.

    Reference rows come first, then the checkpoints by their labels.
    '-' where nothing was measured; the notes below say why.
    """
    cards = {**references, **checkpoints}
    first = next(iter(cards.values()))["face_error"]
    lines = _table(f"all {len(first.clips)} clips", {name: _means(card) for name, card in cards.items()})
    for category, found in first.categories.items() if len(first.categories) > 1 else ():
        rows = {
            name: {m: s.categories[category].mean for m, s in card.items() if category in s.categories}
            for name, card in cards.items()
        }
        lines += ["", *_table(f"{category}, {found.clips} clips", rows)]
    if first.large_pose:
        rows = {n: {m: s.large_pose.mean for m, s in card.items() if s.large_pose} for n, card in cards.items()}
        lines += ["", *_table(f"large pose change, {first.large_pose.clips} clips", rows)]
    notes = {f"{metric}: {found.note}" for card in cards.values() for metric, found in card.items() if found.note}
    return [*lines, "", *sorted(notes), sentence(discrimination, "identity evaluator")]


def _means(card: Card) -> Means:
    return {metric: found.mean for metric, found in card.items()}


def _table(title: str, rows: Mapping[str, Means]) -> list[str]:
    side = max(len(title), *map(len, rows)) + 2
    halves = [metric.partition("_") for metric in METRICS]
    return [
        title.ljust(side) + "".join(f"{first:>{_WIDTH}}" for first, _, _ in halves),
        " " * side + "".join(f"{rest.replace('_', ' '):>{_WIDTH}}" for _, _, rest in halves),
        *(
            name.ljust(side) + "".join(f"{formatted(metric, means.get(metric)):>{_WIDTH}}" for metric in METRICS)
            for name, means in rows.items()
        ),
    ]


def study_table(summary: Summary) -> list[str]:
    """The main scores of a study: reference rows first, then the arms."""
    rows = {**summary.references, **{arm.label: arm.scores for arm in summary.arms}}
    shown = [name for name, metric in METRICS.items() if metric.console]
    width = label_width(rows)
    lines = [" " * (width + 2) + "".join(f"{metric.replace('_', ' '):>20}" for metric in shown)]
    for name, scores in rows.items():
        means = [scores[metric].mean if metric in scores else None for metric in shown]
        lines.append(f"  {name:<{width}}" + "".join(f"{formatted(m, v):>20}" for m, v in zip(shown, means, strict=True)))
    return lines


def label_width(labels: Iterable[str]) -> int:
    """The width of the first column: that of the longest label, and at least 15."""
    return max(15, *(len(label) for label in labels))

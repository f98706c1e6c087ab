"""The metric card: what is measured, and its summary with intervals, clip by clip and category by category.

Scores are means over pairs of a clip, then over clips. Intervals come from resampling people, each with all of their clips,
never frames. Where every clip is a person of its own, this is resampling clips.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facegan.metrics.kid import kid_pseudo_values

_RESAMPLES = 2_000


Scores = dict[str, NDArray[np.float64]]
"""[n] values of each metric, one a pair; jitter is the clip's at each of its pairs. What cannot be measured is left out."""


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """One metric over the clips of one category."""

    mean: float | None
    interval: tuple[float, float] | None
    clips: int
    """Number of clips of the category."""


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric of the card."""

    mean: float | None
    """Mean over clips; None: not measured."""
    interval: tuple[float, float] | None
    """95 % interval of the mean, from resampling clips."""
    clips: dict[str, float | None]
    """Mean of each clip."""
    categories: dict[str, CategorySummary] = field(default_factory=dict)
    """The same by category of clips. Empty for KID, which is a distance between whole sets."""
    note: str = ""
    """Why the metric was not measured."""


Card = dict[str, MetricSummary]
"""A metric card: the summary of each metric by its name. It is the content of scores.json."""


GENERATED, TARGETS = "features/generated", "features/targets"
"""Inception's features among what was measured, [n, 2048]: KID is of a set, so it waits until all clips are there."""


def with_kid(measured: Scores, clips: list[str], images: int) -> tuple[Scores, dict[str, str]]:
    """The scores with KID over exactly `images` pairs, evenly chosen, in place of the features; why it is missing, if it is."""
    scores = {name: values for name, values in measured.items() if name not in (GENERATED, TARGETS)}
    if GENERATED not in measured:
        return scores, {}
    if len(clips) < images:
        return scores, {"kid": f"not measured: {len(clips)} pairs, fewer than --evaluators.kid_images {images}"}
    chosen = np.linspace(0, len(clips) - 1, images).round().astype(int)
    values = kid_pseudo_values(measured[GENERATED][chosen], measured[TARGETS][chosen])
    # Clips weigh alike in a card; in KID each image does, also where one clip gives more of them than another.
    owners = np.array(clips)[chosen]
    counts = np.array([(owners == owner).sum() for owner in owners])
    scores["kid"] = np.full(len(clips), np.nan)
    scores["kid"][chosen] = values * counts * len(set(owners)) / images
    return scores, {}


def summarise(
    scores: Scores,
    clips: list[str],
    categories: Mapping[str, str] | None = None,
    missing: Mapping[str, str] | None = None,
    people: Mapping[str, str] | None = None,
) -> Card:
    """The metric card of scores of pairs, whose clips are `clips` [n].

    With `categories`, a category by clip, each metric is also summarised by category. `missing` maps metrics that were not
    measured to the reason, which becomes their note. `people` maps a clip to its person, by default itself; intervals are 95 %
    percentiles of a bootstrap over people.
    """
    names = sorted(set(clips))
    numbers: dict[str, int] = {}
    owners = np.array([numbers.setdefault((people or {}).get(name, name), len(numbers)) for name in names])
    members = [np.array([c == name for c in clips]) for name in names]
    card: Card = {}
    for metric, values in scores.items():
        by_clip = np.array([_mean(values[member]) for member in members])
        per_clip = {n: float(v) if np.isfinite(v) else None for n, v in zip(names, by_clip, strict=True)}
        by_category = {}
        # KID is of the whole set: a clip's value is its share of it, not its own distance.
        if categories is not None and metric != "kid":
            for category in sorted({categories[n] for n in names}):
                of_category = np.array([categories[name] == category for name in names])
                mean, interval = _mean_over_clips(by_clip[of_category], owners[of_category])
                by_category[category] = CategorySummary(mean, interval, int(of_category.sum()))
        card[metric] = MetricSummary(*_mean_over_clips(by_clip, owners), per_clip, by_category)
    return card | {
        metric: MetricSummary(None, None, dict.fromkeys(names), note=note) for metric, note in (missing or {}).items()
    }


def _mean_over_clips(
    by_clip: NDArray[np.float64], owners: NDArray[np.int64]
) -> tuple[float | None, tuple[float, float] | None]:
    """Mean of the clips' means and its 95 % interval, by a bootstrap over their owners; None where nothing was measured."""
    known = np.isfinite(by_clip)
    if not known.any():
        return None, None
    person = np.unique(owners, return_inverse=True)[1]
    person_sums, person_counts = np.bincount(person, np.where(known, by_clip, 0.0)), np.bincount(person, known)
    picks = np.random.default_rng(68).integers(len(person_sums), size=(_RESAMPLES, len(person_sums)))
    sums, counts = person_sums[picks].sum(axis=1), person_counts[picks].sum(axis=1)
    resampled = sums[counts > 0] / counts[counts > 0]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(by_clip[known].mean()), (float(low), float(high))


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")

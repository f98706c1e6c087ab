"""The metric card: the mean of each metric with its interval, by clip and by category of clips.

Scores are means over pairs of a clip, then over clips. Intervals come from resampling people, each with all of their clips,
never frames. Where every clip is a person of its own, this is resampling clips. Intervals of
effects, which compare runs, are in `facegan.study.analysis.intervals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facegan.metrics.kid import kid_pseudo_values

_RESAMPLES = 2_000


Scores = dict[str, NDArray[np.float64]]
"""[n] values of each metric, one per pair. The jitter of a clip is repeated for each of its pairs."""


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """One metric over some of the clips or of their pairs."""

    mean: float | None
    interval: tuple[float, float] | None
    clips: int
    """Number of clips that it is summarised over."""


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric of the card."""

    mean: float | None
    """Mean over clips; None: not measured."""
    interval: tuple[float, float] | None
    """95 % interval of the mean, from resampling people."""
    clips: dict[str, float | None]
    """Mean of each clip."""
    categories: dict[str, CategorySummary] = field(default_factory=dict)
    """The same by category of clips. Empty for KID, which is a distance between whole sets."""
    large_pose: CategorySummary | None = None
    """The same over the pairs whose pose changes most, which count nowhere else; None: there are none, or it is no score of
    single pairs."""
    note: str = ""
    """Why the metric was not measured."""


Card = dict[str, MetricSummary]
"""A metric card: the summary of each metric by its name. It is the content of scores.json."""


GENERATED, TARGETS = "features/generated", "features/targets"
"""Names of Inception's features [n, 2048] among the measurements. KID needs those of all clips, so it is computed last."""
LARGE_POSE = "pairs/large_pose"
"""Name of the 1 of pairs that were chosen by a large change of pose, and 0 of the others, among the measurements."""


def with_kid(measured: Scores, clips: list[str], images: int) -> tuple[Scores, dict[str, str]]:
    """The scores with `kid` over exactly `images` pairs, evenly chosen, in place of the features, and a note if it is missing.

    `clips` [n] names the clip of each pair. KID is given as one value per chosen pair, NaN for the others.
    """
    scores = {name: values for name, values in measured.items() if name not in (GENERATED, TARGETS)}
    if GENERATED not in measured:
        return scores, {}
    if len(clips) < images:
        return scores, {"kid": f"not measured: {len(clips)} pairs, fewer than --evaluators.kid_images {images}"}
    chosen = np.linspace(0, len(clips) - 1, images).round().astype(int)
    values = kid_pseudo_values(measured[GENERATED][chosen], measured[TARGETS][chosen])
    # A card is a mean over clips, but KID is a mean over images: the weights make up for clips with more images than others.
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
        # KID is a distance of whole sets: the value of a clip is its contribution, not its own distance.
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

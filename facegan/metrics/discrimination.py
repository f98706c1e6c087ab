"""Can the identity judge tell people apart? Similarity within a person against between two, on a data set's own faces.

An identity score means something only as far as these two distributions are apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 40


@dataclass(frozen=True, slots=True)
class SimilarityDistribution:
    """Cosine similarities of pairs of frames."""

    pairs: int
    mean: float
    deviation: float
    percentile_5: float
    percentile_95: float
    histogram: tuple[int, ...]
    """Counts between the `edges` of `Discrimination`."""


@dataclass(frozen=True, slots=True)
class Discrimination:
    """How well identity embeddings tell people apart; without two people of two frames each, all but the counts is None."""

    people: int
    frames: int
    auc: float | None
    """Probability that two frames of one person are more alike than frames of two people."""
    equal_error_rate: float | None
    """Share of mistakes at `threshold`, the cosine at which both kinds of mistake are equally frequent."""
    threshold: float | None
    same: SimilarityDistribution | None
    """Pairs of frames of one person."""
    different: SimilarityDistribution | None
    """Pairs of frames of two people."""
    edges: tuple[float, ...] | None


def discrimination(embeddings: NDArray[np.float64], rows: NDArray[np.int64], people: list[str]) -> Discrimination:
    """Of embeddings [n, d] of different frames (by their rows) of some people: every two frames are compared once."""
    unique = np.unique(rows, return_index=True)[1]
    unit = embeddings[unique] / np.linalg.norm(embeddings[unique], axis=1, keepdims=True)
    owner = np.array(people)[unique]
    first, second = np.triu_indices(len(unit), 1)
    similarity = np.asarray((unit @ unit.T)[first, second], np.float64)
    is_same = owner[first] == owner[second]
    same, different = similarity[is_same], similarity[~is_same]
    if not len(same) or not len(different):
        return Discrimination(len(set(people)), len(unit), None, None, None, None, None, None)
    rate, threshold = equal_error(same, different)
    edges = np.linspace(similarity.min(), similarity.max(), _BINS + 1)
    return Discrimination(
        people=len(set(people)),
        frames=len(unit),
        auc=area(same, different),
        equal_error_rate=rate,
        threshold=threshold,
        same=_describe(same, edges),
        different=_describe(different, edges),
        edges=tuple(float(edge) for edge in edges),
    )


def area(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """The chance that a value of `same` is above one of `different`; equal ones count half (Mann and Whitney 1947)."""
    ordered = np.sort(different)
    below = np.searchsorted(ordered, same, "left") + np.searchsorted(ordered, same, "right")
    return float(below.mean() / 2 / len(ordered))


def equal_error(same: NDArray[np.float64], different: NDArray[np.float64]) -> tuple[float, float]:
    """The rate and the threshold at which as large a share of `same` is below as of `different` is at or above it."""
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds, "left") / len(same)
    taken = 1 - np.searchsorted(np.sort(different), thresholds, "left") / len(different)
    best = int(np.argmin(np.abs(missed - taken)))
    return float((missed[best] + taken[best]) / 2), float(thresholds[best])


def sentence(found: Discrimination, evaluator: str) -> str:
    """What was found, in words."""
    if found.auc is None or found.equal_error_rate is None or found.same is None or found.different is None:
        return f"{evaluator} could not be tried: it takes two people with two frames each"
    return (
        f"{evaluator} on {found.frames} real frames of {found.people} people: cosine {found.same.mean:.3f} within a person, "
        f"{found.different.mean:.3f} between people, AUC {found.auc:.3f}; at the threshold {found.threshold:.3f} it mistakes "
        f"{100 * found.equal_error_rate:.1f} % of both"
    )


def _describe(values: NDArray[np.float64], edges: NDArray[np.float64]) -> SimilarityDistribution:
    low, high = np.percentile(values, [5, 95])
    counts = tuple(int(count) for count in np.histogram(values, edges)[0])
    return SimilarityDistribution(len(values), float(values.mean()), float(values.std()), float(low), float(high), counts)

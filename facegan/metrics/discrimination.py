"""Can the identity evaluator tell people apart? Its similarities within a person and between people, on real frames.

An identity score is meaningful only as far as these two distributions are apart.
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
    """Compare every two different frames by the cosine of their embeddings, within a person and between people.

    `embeddings` [n, d], `rows` [n] and `people` [n] are of some frames; a row that occurs twice counts once. Frames in which no
    face is found, NaN in `embeddings`, are left out, also of the counts.
    """
    has_face = np.asarray(np.isfinite(embeddings).all(axis=1))
    embeddings, rows = embeddings[has_face], rows[has_face]
    people = [person for person, kept in zip(people, has_face, strict=True) if kept]
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
        auc=roc_area(same, different),
        equal_error_rate=rate,
        threshold=threshold,
        same=_describe(same, edges),
        different=_describe(different, edges),
        edges=tuple(float(edge) for edge in edges),
    )


def roc_area(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """Area under the ROC curve: the probability that a value of `same` is above one of `different`, ties counting half."""
    # As scikit-learn's roc_auc_score, whose import takes longer than all of a study's reference rows.
    ordered = np.sort(different)
    below = np.searchsorted(ordered, same, "left") + np.searchsorted(ordered, same, "right")
    return float(below.mean() / (2 * len(different)))


def equal_error(same: NDArray[np.float64], different: NDArray[np.float64]) -> tuple[float, float]:
    """Equal error rate and its threshold: as large a share of `same` is below it as of `different` is at or above it.

    Where no threshold among the values makes the shares equal, the mean of both at the closest one.
    """
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds, "left") / len(same)
    accepted = 1 - np.searchsorted(np.sort(different), thresholds, "left") / len(different)
    best = int(np.argmin(np.abs(missed - accepted)))
    return float((missed[best] + accepted[best]) / 2), float(thresholds[best])


def sentence(found: Discrimination, evaluator: str) -> str:
    """The result of `discrimination` in words; `evaluator` names what was tried."""
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

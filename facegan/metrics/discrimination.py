"""Can the identity judge tell people apart? Similarity within a person against between two, on a data set's own faces.

An identity score means something only as far as these two distributions are apart.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 40


def discrimination(embeddings: NDArray[np.float64], rows: NDArray[np.int64], people: list[str]) -> dict[str, Any]:
    """Of embeddings [n, d] of different frames (by their rows) of some people: every two frames are compared once.

    `auc`: chance that two frames of one person are more alike than two of two people. `equal_error_rate`: share of mistakes at
    the `threshold` of the cosine at which both kinds are equally frequent. `same`, `different`: count, mean, deviation,
    percentiles 5 and 95, and a histogram over `edges`. With fewer than two people or two frames a person all of it is None.
    """
    unique = np.unique(rows, return_index=True)[1]
    unit = embeddings[unique] / np.linalg.norm(embeddings[unique], axis=1, keepdims=True)
    owner = np.array(people)[unique]
    first, second = np.triu_indices(len(unit), 1)
    similarity = np.asarray((unit @ unit.T)[first, second], np.float64)
    is_same = owner[first] == owner[second]
    same, different = similarity[is_same], similarity[~is_same]
    found: dict[str, Any] = {"people": len(set(people)), "frames": len(unit)}
    if not len(same) or not len(different):
        nothing = ("auc", "equal_error_rate", "threshold", "same", "different", "edges")
        return found | dict.fromkeys(nothing)
    rate, threshold = equal_error(same, different)
    edges = np.linspace(similarity.min(), similarity.max(), _BINS + 1)
    return found | {
        "auc": area(same, different),
        "equal_error_rate": rate,
        "threshold": threshold,
        "same": _describe(same, edges),
        "different": _describe(different, edges),
        "edges": [float(edge) for edge in edges],
    }


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


def sentence(found: dict[str, Any], judge: str) -> str:
    """What was found, in words."""
    if found["auc"] is None:
        return f"{judge} could not be tried: it takes two people with two frames each"
    same, different = found["same"]["mean"], found["different"]["mean"]
    return (
        f"{judge} on {found['frames']} real frames of {found['people']} people: cosine {same:.3f} within a person, "
        f"{different:.3f} between people, AUC {found['auc']:.3f}; at the threshold {found['threshold']:.3f} it mistakes "
        f"{100 * found['equal_error_rate']:.1f} % of both"
    )


def _describe(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    low, high = np.percentile(values, [5, 95])
    facts = {"mean": values.mean(), "deviation": values.std(), "percentile_5": low, "percentile_95": high}
    counts = [int(count) for count in np.histogram(values, edges)[0]]
    return {"pairs": len(values), **{name: float(value) for name, value in facts.items()}, "histogram": counts}

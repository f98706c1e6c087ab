"""Can the identity evaluator tell people apart? Its similarities within a person and between people, on real frames.

An identity score is meaningful only as far as these two distributions are apart.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 40


def discrimination(embeddings: NDArray[np.float64], rows: NDArray[np.int64], people: list[str]) -> dict[str, Any]:
    """Compare every two different frames by the cosine of their embeddings, within a person and between people.

    `embeddings` [n, d], `rows` [n] and `people` [n] are of some frames; a row that occurs twice counts once. The result:

    `auc`: probability that two frames of one person are more similar than two of different people, in [0, 1].
    `equal_error_rate`: error rate at the `threshold` of the cosine at which both kinds of error are equally frequent.
    `same`, `different`: count, mean, deviation, percentiles 5 and 95, and a histogram over `edges`.
    All of these are None unless there are two people and a person with two frames.
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
        "auc": roc_area(same, different),
        "equal_error_rate": rate,
        "threshold": threshold,
        "same": _describe(same, edges),
        "different": _describe(different, edges),
        "edges": [float(edge) for edge in edges],
    }


def roc_area(same: NDArray[np.float64], different: NDArray[np.float64]) -> float:
    """Area under the ROC curve: the probability that a value of `same` is above one of `different`, ties counting half."""
    from sklearn.metrics import roc_auc_score  # its import takes a second, and not every user of this module needs it

    labels = np.concatenate([np.ones(len(same)), np.zeros(len(different))])
    return float(roc_auc_score(labels, np.concatenate([same, different])))


def equal_error(same: NDArray[np.float64], different: NDArray[np.float64]) -> tuple[float, float]:
    """Equal error rate and its threshold: as large a share of `same` is below it as of `different` is at or above it.

    Where no threshold among the values makes the shares equal, the mean of both at the closest one.
    """
    thresholds = np.unique(np.concatenate([same, different]))
    missed = np.searchsorted(np.sort(same), thresholds, "left") / len(same)
    accepted = 1 - np.searchsorted(np.sort(different), thresholds, "left") / len(different)
    best = int(np.argmin(np.abs(missed - accepted)))
    return float((missed[best] + accepted[best]) / 2), float(thresholds[best])


def sentence(found: dict[str, Any], evaluator: str) -> str:
    """The result of `discrimination` in words; `evaluator` names what was tried."""
    if found["auc"] is None:
        return f"{evaluator} could not be tried: it takes two people with two frames each"
    same, different = found["same"]["mean"], found["different"]["mean"]
    return (
        f"{evaluator} on {found['frames']} real frames of {found['people']} people: cosine {same:.3f} within a person, "
        f"{different:.3f} between people, AUC {found['auc']:.3f}; at the threshold {found['threshold']:.3f} it mistakes "
        f"{100 * found['equal_error_rate']:.1f} % of both"
    )


def _describe(values: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, Any]:
    low, high = np.percentile(values, [5, 95])
    facts = {"mean": values.mean(), "deviation": values.std(), "percentile_5": low, "percentile_95": high}
    counts = [int(count) for count in np.histogram(values, edges)[0]]
    return {"pairs": len(values), **{name: float(value) for name, value in facts.items()}, "histogram": counts}

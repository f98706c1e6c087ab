"""An arm's verdict in a sentence: does it copy the source, follow the target, or neither, on held-out people."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from facegan.metrics.card import summarise
from facegan.metrics.table import display_name, formatted

Card = dict[str, Any]
"""What `facegan.metrics.card.summarise` makes: per metric `mean`, `interval` and `clips`."""

COPY = "source copied"
_COMPARED = ("face_error", "landmark_error")
# An interval from resampling fewer clips than this says nothing.
_FEWEST_CLIPS = 5
_FEWEST_FACES = 0.75
# From here on an image is at least twice as close to the source as to the target.
_PLAIN_COPY = 2 / 3


def compare(card: Card, copied: Card | None) -> dict[str, Any]:
    """Per error metric the arm, the copied source and their difference, clip by clip, over clips that both have."""
    found: dict[str, Any] = {}
    for metric in _COMPARED:
        ours, theirs = (c.get(metric, {"clips": {}})["clips"] for c in (card, copied or {}))
        clips = [c for c in sorted(ours) if ours[c] is not None and theirs.get(c) is not None]
        if clips:
            a, b = (np.array([side[c] for c in clips], np.float64) for side in (ours, theirs))
            difference = summarise({"d": a - b}, clips)["d"]
            found[metric] = {
                "arm": float(a.mean()),
                "copied": float(b.mean()),
                "difference": difference["mean"],
                "interval": difference["interval"],
                "clips": len(clips),
            }
    return found


def judge(card: Card, comparisons: dict[str, Any], states: Sequence[str]) -> tuple[str, str]:
    """The outcome in a word (copies, follows, both, worse, between, unknown) and in a sentence with its numbers."""
    if not card:
        return "unknown", f"no result: {_count(states)}"
    clips = len(card["source_likeness"]["clips"])
    if clips < _FEWEST_CLIPS:
        return "unknown", f"too few test clips to judge: {clips}, at least {_FEWEST_CLIPS} are needed"
    likeness = card["source_likeness"]["interval"][0] or 0.0
    usable = [m for m in comparisons if _is_usable(m, card, comparisons[m])]
    better = [m for m in usable if comparisons[m]["interval"][1] < 0]
    worse = [m for m in usable if comparisons[m]["interval"][0] > 0]
    numbers = [_likeness(card)] if likeness > 0.5 or not comparisons else []
    numbers += [_sentence(m, comparisons[m], card, clips) for m in comparisons]
    outcome, words = _outcome(likeness, better, worse)
    return outcome, f"{words}: {'; '.join(numbers)}"


def _is_usable(metric: str, card: Card, found: dict[str, Any]) -> bool:
    # Landmarks are judged only where a face is found: an arm whose faces are rarely found is judged on its lucky ones.
    lucky = metric == "landmark_error" and (card["faces_found"]["mean"] or 0.0) < _FEWEST_FACES
    return found["clips"] >= _FEWEST_CLIPS and not lucky


def _outcome(likeness: float, better: list[str], worse: list[str]) -> tuple[str, str]:
    """`likeness` is the lower end of the interval of source likeness."""
    if likeness > _PLAIN_COPY and better:
        return "copies", "copies the source, with a small move towards the target"
    if likeness > 0.5 and better:
        return "both", "between, moves towards the target but stays closer to the source"
    if likeness > 0.5 and not (worse and likeness <= _PLAIN_COPY):
        return "copies", "copies the source"
    if better:
        what = "the target" if "face_error" in better else "the target landmarks"
        return "follows", f"follows {what}{' in part' if worse else ''}"
    if worse:
        return "worse", "neither follows the target nor copies the source, and is further off than the copied source"
    return "between", "between, neither a copy of the source nor better than one"


def _likeness(card: Card) -> str:
    entry = card["source_likeness"]
    if entry["mean"] is None:
        return "source likeness not measured"
    low, high = entry["interval"]
    numbers = f"{entry['mean']:.2f} (95 % interval {low:.2f} to {high:.2f}"
    return f"source likeness {numbers}; above 0.5 is closer to the source than to the target)"


def _sentence(metric: str, found: dict[str, Any], card: Card, clips: int) -> str:
    numbers = (found["arm"], found["copied"], found["difference"], *found["interval"])
    arm, copied, difference, low, high = (formatted(metric, value) for value in numbers)
    part = "" if found["clips"] == clips else f", on the {found['clips']} of {clips} clips where both show a face"
    if metric == "landmark_error":
        part += f"; a face was found in {100 * card['faces_found']['mean']:.0f} % of its images"
    return (
        f"{display_name(metric)} {arm} against {copied} for the copied source "
        f"(difference {difference}, 95 % interval {low} to {high}{part})"
    )


def _count(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(s)} of {len(states)} trials {s}" for s in dict.fromkeys(states))

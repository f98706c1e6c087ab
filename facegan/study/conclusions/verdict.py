"""The verdict on an arm: does its generator follow the target, copy the source, or neither, on held-out people?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facegan.metrics.card import Card, summarise
from facegan.metrics.table import display_name, formatted

COPY = "source copied"
"""The reference row that arms are compared with."""

Outcome = Literal["copies", "follows", "both", "worse", "between", "unknown"]

_COMPARED = ("face_error", "landmark_error")
_MIN_PEOPLE = 5
"""With fewer people, an interval from resampling them is not reliable."""
_MIN_FACES_FOUND = 0.75
"""Below this share of images with a face, the landmark error does not count: it is measured on the better images only."""
_PLAIN_COPY = 2 / 3
"""From this source likeness on, an image is at least twice as close to the source as to the target."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An error metric of an arm against the source copied, over the clips that both have."""

    arm: float
    copied: float
    difference: float
    """Arm minus copied source."""
    interval: tuple[float, float]
    """95 % interval of the difference, from resampling people."""
    clips: int
    people: int


def compare_with_copy(card: Card, copied: Card | None, people: Mapping[str, str]) -> dict[str, Comparison]:
    """Per error metric the arm against the copied source, clip by clip; `people` maps clips to the people to resample."""
    found = {}
    for metric in _COMPARED:
        ours, theirs = (c[metric].clips if metric in c else {} for c in (card, copied or {}))
        clips = [c for c in sorted(ours) if ours[c] is not None and theirs.get(c) is not None]
        if not clips:
            continue
        a, b = (np.array([side[c] for c in clips], np.float64) for side in (ours, theirs))
        difference = summarise({"difference": a - b}, clips, people=people)["difference"]
        assert difference.mean is not None and difference.interval is not None
        found[metric] = Comparison(
            arm=float(a.mean()),
            copied=float(b.mean()),
            difference=difference.mean,
            interval=difference.interval,
            clips=len(clips),
            people=_count(clips, people),
        )
    return found


def _count(clips: Iterable[str], people: Mapping[str, str]) -> int:
    return len({people.get(clip, clip) for clip in clips})


def decide_verdict(
    card: Card, comparisons: Mapping[str, Comparison], states: Sequence[str], people: Mapping[str, str]
) -> tuple[Outcome, str]:
    """The outcome in a word, and in a sentence with its numbers; `states` are those of the arm's trials."""
    if not card:
        counts = ", ".join(f"{states.count(s)} of {len(states)} trials {s}" for s in dict.fromkeys(states))
        return "unknown", f"no result: {counts}"
    likeness = card["source_likeness"]
    clips = len(likeness.clips)
    tested = _count(likeness.clips, people)
    if tested < _MIN_PEOPLE:
        return "unknown", f"too few test people for a verdict: {tested}, at least {_MIN_PEOPLE} are needed"
    least_likeness = likeness.interval[0] if likeness.interval else 0.0
    usable = {metric: found for metric, found in comparisons.items() if _is_usable(metric, card, found)}
    better = [metric for metric, found in usable.items() if found.interval[1] < 0]
    worse = [metric for metric, found in usable.items() if found.interval[0] > 0]
    numbers = [_describe_likeness(card)] if least_likeness > 0.5 or not comparisons else []
    numbers += [_describe_comparison(metric, found, card, clips) for metric, found in comparisons.items()]
    outcome, words = _outcome(least_likeness, better, worse)
    return outcome, f"{words}: {'; '.join(numbers)}"


def _is_usable(metric: str, card: Card, found: Comparison) -> bool:
    has_few_faces = metric == "landmark_error" and (card["faces_found"].mean or 0.0) < _MIN_FACES_FOUND
    return found.people >= _MIN_PEOPLE and not has_few_faces


def _outcome(likeness: float, better: Sequence[str], worse: Sequence[str]) -> tuple[Outcome, str]:
    """From the lower end of the interval of source likeness, and the metrics better and worse than the copied source."""
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


def _describe_likeness(card: Card) -> str:
    found = card["source_likeness"]
    if found.mean is None or found.interval is None:
        return "source likeness not measured"
    low, high = found.interval
    return (
        f"source likeness {found.mean:.2f} (95 % interval {low:.2f} to {high:.2f}; "
        "above 0.5 is closer to the source than to the target)"
    )


def _describe_comparison(metric: str, found: Comparison, card: Card, clips: int) -> str:
    numbers = (found.arm, found.copied, found.difference, *found.interval)
    arm, copied, difference, low, high = (formatted(metric, value) for value in numbers)
    part = "" if found.clips == clips else f", on the {found.clips} of {clips} clips where both show a face"
    if metric == "landmark_error":
        part += f"; a face was found in {100 * (card['faces_found'].mean or 0.0):.0f} % of its images"
    return (
        f"{display_name(metric)} {arm} against {copied} for the copied source "
        f"(difference {difference}, 95 % interval {low} to {high}{part})"
    )

"""The verdict on an arm: does its generator follow the target, copy the source, or neither, on held-out people?

A verdict is about the generators that were trained, on other people. What other seeds would give is the matter of the effects.
"Better" and "worse" than the copied source mean decidedly so, by more than the smallest effect of interest, after Holm's
adjustment over all arms and both error metrics. "Equivalent" means decidedly closer to it than that (TOST).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from facegan.metrics.card import Card
from facegan.metrics.table import display_name, formatted
from facegan.study.analysis.holm import holm
from facegan.study.analysis.intervals import Interval
from facegan.study.analysis.looks import Look
from facegan.study.design.analysis_plan import LEVEL

COPY, WARP = "source copied", "source warped"
"""The reference rows that arms are compared with: what ignores the target, and what needs no network."""

Outcome = Literal["copies", "follows", "both", "worse", "equivalent", "between", "unknown"]

_COMPARED = ("face_error", "landmark_error")
_MIN_PEOPLE = 5
"""With fewer people, an interval from resampling them is not reliable."""
_MIN_FACES_FOUND = 0.75
"""Below this share of images with a face, the landmark error does not count: it is measured on the better images only."""
_PLAIN_COPY = 2 / 3
"""From this source likeness on, an image is at least twice as close to the source as to the target."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An error metric of an arm against a reference row, over the clips that both have."""

    arm: float
    reference: float
    difference: float
    """Arm minus reference."""
    interval: tuple[float, float]
    """95 % t interval of the difference for other people."""
    clips: int
    people: int
    smallest_of_interest: float
    p: float
    """That the difference is larger in size than the smallest of interest."""
    p_equivalent: float
    """That it is smaller (TOST); 1 where no smallest effect is declared."""
    tests: int = 1
    """Number of comparisons of the study that both p are adjusted for."""


def compare_with(
    card: Card, reference: Card | None, people: Mapping[str, str], smallest: Mapping[str, float]
) -> dict[str, Comparison]:
    """Per error metric the arm against a reference row, person by person; p values are not adjusted yet.

    `people` maps clips to their people, `smallest` metrics to the smallest effect of interest.
    """
    found = {}
    for metric in _COMPARED:
        ours, theirs = (c[metric].clips if metric in c else {} for c in (card, reference or {}))
        clips = [c for c in sorted(ours) if ours[c] is not None and theirs.get(c) is not None]
        if _count(clips, people) < 2:
            continue
        a, b = (np.array([side[c] for c in clips], np.float64) for side in (ours, theirs))
        owners = np.array([people.get(clip, clip) for clip in clips])
        differences = np.array([(a - b)[owners == owner].mean() for owner in np.unique(owners)])
        count, margin = len(differences), smallest.get(metric, 0.0)
        interval = Interval(float(differences.mean()), (float(differences.var(ddof=1) / count),), (count - 1,))
        found[metric] = Comparison(
            arm=float(a.mean()),
            reference=float(b.mean()),
            difference=interval.estimate,
            interval=interval.bounds,
            clips=len(clips),
            people=count,
            smallest_of_interest=margin,
            p=interval.p_beyond(margin),
            p_equivalent=interval.p_within(margin),
        )
    return found


def adjust_over_arms(comparisons: Mapping[str, Mapping[str, Comparison]]) -> dict[str, dict[str, Comparison]]:
    """The comparisons of each arm with their p values adjusted by Holm over all arms and metrics."""
    everything = [found for arm in comparisons.values() for found in arm.values()]
    tests = len(everything)
    differs = iter(holm([found.p for found in everything], tests, Look()))
    within = iter(holm([found.p_equivalent for found in everything], tests, Look()))
    adjusted: dict[str, dict[str, Comparison]] = {}
    for arm, by_metric in comparisons.items():
        adjusted[arm] = {}
        for metric, found in by_metric.items():
            p, p_equivalent = next(differs), next(within)
            assert p is not None and p_equivalent is not None
            adjusted[arm][metric] = replace(found, p=p, p_equivalent=p_equivalent, tests=tests)
    return adjusted


def _count(clips: Iterable[str], people: Mapping[str, str]) -> int:
    return len({people.get(clip, clip) for clip in clips})


def decide_verdict(
    card: Card,
    comparisons: Mapping[str, Comparison],
    warped: Mapping[str, Comparison],
    states: Sequence[str],
    people: Mapping[str, str],
) -> tuple[Outcome, str]:
    """The outcome in a word, and in a sentence with its numbers; `states` are those of the arm's trials.

    `comparisons` are with the copied source, which decide the outcome, `warped` those with the warped source.
    """
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
    better = [metric for metric, found in usable.items() if found.p < LEVEL and found.difference < 0]
    worse = [metric for metric, found in usable.items() if found.p < LEVEL and found.difference > 0]
    alike = [metric for metric, found in usable.items() if found.p_equivalent < LEVEL]
    numbers = [_describe_likeness(card)] if least_likeness > 0.5 or not comparisons else []
    numbers += [_describe_comparison(metric, found, card, clips) for metric, found in comparisons.items()]
    numbers += [_describe_warp(warped["face_error"])] if "face_error" in warped else []
    outcome, words = _outcome(least_likeness, better, worse, is_equivalent=bool(usable) and len(alike) == len(usable))
    return outcome, f"{words}: {'; '.join(numbers)}"


def _is_usable(metric: str, card: Card, found: Comparison) -> bool:
    has_few_faces = metric == "landmark_error" and (card["faces_found"].mean or 0.0) < _MIN_FACES_FOUND
    return found.people >= _MIN_PEOPLE and not has_few_faces


def _outcome(likeness: float, better: Sequence[str], worse: Sequence[str], *, is_equivalent: bool) -> tuple[Outcome, str]:
    """From the lower end of the interval of source likeness, and the metrics better and worse than the copied source.

    `is_equivalent`: it is decidedly as far off as the copied source, by every metric.
    """
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
    if is_equivalent:
        return "equivalent", "as far off as the copied source, without being closer to it than to the target"
    return "between", "undecided, neither a copy of the source nor better than one"


def _describe_warp(found: Comparison) -> str:
    """Differences count from the smallest one of interest; smaller ones are told by the interval."""
    arm, warped, difference = (formatted("face_error", value) for value in (found.arm, found.reference, found.difference))
    low, high = found.interval
    if found.p < LEVEL:
        verb = "beats" if found.difference < 0 else "is worse than"
    elif found.p_equivalent < LEVEL:
        verb = "is as good as"
    else:
        verb = "does not beat" if low > 0 else "may beat" if high < 0 else "may or may not beat"
    numbers = f"difference {difference}, 95 % interval {formatted('face_error', low)} to {formatted('face_error', high)}"
    return f"it {verb} the source warped to the target landmarks (face error {arm} against {warped}; {numbers})"


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
    numbers = (found.arm, found.reference, found.difference, *found.interval)
    arm, copied, difference, low, high = (formatted(metric, value) for value in numbers)
    part = "" if found.clips == clips else f", on the {found.clips} of {clips} clips where both show a face"
    if metric == "landmark_error":
        part += f"; a face was found in {100 * (card['faces_found'].mean or 0.0):.0f} % of its images"
    return (
        f"{display_name(metric)} {arm} against {copied} for the copied source "
        f"(difference {difference}, 95 % interval {low} to {high}{part})"
    )

"""The plane of a study: how far each run follows the target against how much it keeps the person.

The corners are real images: the source copied (0, 1), the real target (1, 1), another person in the target's pose (1, 0). A
generator can score well on identity by copying; in the plane it cannot, because a copy does not follow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facegan.metrics.card import Card
from facegan.study.analysis.effect_records import Bounds, EffectEstimate, StudyEffects
from facegan.study.analysis.runs import Run

FOLLOWING, KEPT = "target_following", "identity_kept"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the plane: 0 as the source copied to 1 as the real target, and 0 as another person to 1 as the person."""

    following: float
    kept: float


@dataclass(frozen=True, slots=True)
class ArmPoints:
    """The runs of an arm: one point for each seed, the mean over people."""

    arm: str
    seeds: tuple[int, ...]
    points: tuple[Point, ...]

    @property
    def mean(self) -> Point:
        """The mean over the seeds."""
        count = len(self.points)
        return Point(sum(p.following for p in self.points) / count, sum(p.kept for p in self.points) / count)


@dataclass(frozen=True, slots=True)
class FactorArrow:
    """What switching on a factor changes: its main effects on both coordinates."""

    factor: str
    change: Point
    following_interval: Bounds | None
    """95 % interval of the change; None with too few seeds."""
    kept_interval: Bounds | None


@dataclass(frozen=True, slots=True)
class Plane:
    """Reference rows, arms and factors in the plane."""

    references: dict[str, Point]
    arms: tuple[ArmPoints, ...]
    """Arms without a run that has both coordinates are left out."""
    arrows: tuple[FactorArrow, ...]


def make_plane(runs: Mapping[str, Sequence[Run]], references: Mapping[str, Card], effects: StudyEffects | None) -> Plane | None:
    """The plane of a study, or None where neither a reference row nor a run has both coordinates.

    `runs` are the planned runs by metric, in the same order for both coordinates.
    """
    corners = {}
    for name, card in references.items():
        following, kept = (card[metric].mean if metric in card else None for metric in (FOLLOWING, KEPT))
        if following is not None and kept is not None:
            corners[name] = Point(following, kept)
    found: dict[str, list[tuple[int, Point]]] = {}
    for across, up in zip(runs[FOLLOWING], runs[KEPT], strict=True):
        assert (across.arm, across.seed) == (up.arm, up.seed), "the runs of both metrics are in one order"
        following, kept = _mean(across), _mean(up)
        if following is not None and kept is not None:
            found.setdefault(across.arm, []).append((across.seed, Point(following, kept)))
    arms = tuple(ArmPoints(arm, tuple(s for s, _ in points), tuple(p for _, p in points)) for arm, points in found.items())
    arrows = []
    for name in effects.factors if effects else ():
        following_effect, kept_effect = (_main_effect(effects, metric, name) for metric in (FOLLOWING, KEPT))
        if following_effect and kept_effect:
            change = Point(following_effect.estimate, kept_effect.estimate)
            arrows.append(FactorArrow(name, change, following_effect.interval, kept_effect.interval))
    return Plane(corners, arms, tuple(arrows)) if corners or arms else None


def _mean(run: Run) -> float | None:
    values = [value for value in run.clips.values() if value is not None]
    return sum(values) / len(values) if values else None


def _main_effect(effects: StudyEffects | None, metric: str, factor: str) -> EffectEstimate | None:
    found = effects.metrics.get(metric) if effects else None
    if found is None:
        return None
    return next((e for e in found.effects if e.order == 1 and (factor,) in [tuple(word) for word in e.members]), None)

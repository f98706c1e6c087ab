"""The poster's two claims, answered in words with an interval: do feature-space terms matter more than pixel-space terms for
identity, and do the two groups act in synergy?

Where a design switches single terms, a group's effect is the sum of its factors' main effects, and the groups' interaction the
sum over their pairs: the same as of switching whole groups, if no three factors interact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.config import GROUPS
from facegan.study.analysis.effects import direction, fit_table
from facegan.study.analysis.intervals import Interval, as_json, bootstrap, contrast_interval, percentile
from facegan.study.analysis.model import Fit, Floats, Model, choose_model
from facegan.study.analysis.runs import Run, tabulate
from facegan.study.design.arms import Factor
from facegan.study.design.two_level import Row, Word, sorted_word, word_name

METRIC = "identity_to_target"

UNTELLABLE = "cannot be told from this design"
TOO_FEW = "too few runs"
UNDECIDED = "undecided (interval spans zero)"

_LEADS = {
    "feature_over_pixel": {
        "yes": "Yes, feature-space terms matter more",
        "no": "No, pixel-space terms matter more",
        UNDECIDED: "Undecided, either may matter more",
        TOO_FEW: "Too few runs to say",
    },
    "synergy": {
        "yes": "Yes, each group does more for identity where the other is on",
        "no": "No, each group does less for identity where the other is on",
        UNDECIDED: "Undecided, they may help or hinder each other",
        TOO_FEW: "Too few runs to say",
    },
}
_QUESTIONS = {
    "feature_over_pixel": "Do feature-space terms matter more than pixel-space terms for identity?",
    "synergy": "Do pixel-space and feature-space terms act in synergy for identity?",
}


@dataclass(frozen=True, slots=True)
class _Groups:
    """The factors that switch pixel-space terms, and those that switch feature-space terms."""

    pixel: tuple[Factor, ...]
    feature: tuple[Factor, ...]

    def names(self, side: str) -> str:
        terms = [term for factor in getattr(self, side) for term in factor.terms]
        return f"the {side}-space terms ({', '.join(terms)})"

    def main(self, side: str) -> dict[Word, float]:
        return {(factor.name,): 1.0 for factor in getattr(self, side)}

    def pairs(self, factors: Sequence[str]) -> dict[Word, float]:
        return {sorted_word({p.name, f.name}, factors): 1.0 for p in self.pixel for f in self.feature}


@dataclass(frozen=True, slots=True)
class _Study:
    """What both answers rest on."""

    design: str
    groups: _Groups
    planned: Sequence[Row]
    fit: Fit
    basis: str


def answer_claims(design: str, factors: Sequence[Factor], runs: Sequence[Run], planned: Sequence[Row]) -> list[dict[str, Any]]:
    """Both claims: `question`, `answer` (yes, no, undecided, untellable, too few runs), `sentence`, the numbers.

    `runs` are those of `METRIC`, `planned` the levels of the arms.
    """
    groups = _groups(factors)
    if isinstance(groups, str):
        return [_without(claim, UNTELLABLE, groups) for claim in _QUESTIONS]
    table = tabulate(runs)
    fitted = fit_table(table, planned)[1]
    if fitted is None:
        return [_without(claim, TOO_FEW, "no effect can be estimated from the runs so far") for claim in _QUESTIONS]
    seeds, clips = len(set(table.seeds)), len(table.clips)
    basis = f"{seeds} seed{'s' * (seeds != 1)}, {clips} clip{'s' * (clips != 1)}"
    study = _Study(design, groups, planned, fitted, basis)
    return [_which_matters(study), _synergy(study)]


def _groups(factors: Sequence[Factor]) -> _Groups | str:
    """The factors by group, or why they cannot be sorted."""
    mixed = [
        f.name for f in factors if set(f.terms) & set(GROUPS["pixel_space"]) and set(f.terms) & set(GROUPS["feature_space"])
    ]
    if mixed:
        return f"its factor {mixed[0]} switches terms of both groups at once"
    sides = [
        tuple(f for f in factors if set(f.terms) & set(group)) for group in (GROUPS["pixel_space"], GROUPS["feature_space"])
    ]
    for name, side in zip(("pixel", "feature"), sides, strict=True):
        if not side:
            return f"it never switches a {name}-space term"
    return _Groups(*sides)


def combine(model: Model, weights: Mapping[Word, float]) -> Floats | str:
    """[effects] the combination of the model's effects that is the weighted sum of words, or why there is none.

    An aliased effect is the sum of its words, so it serves only where the sum asked for has all of them in that proportion.
    """
    known = {word for effect in model.effects for word in effect.words}
    for word in weights:
        if word not in known:
            reason = next((f": {why}" for effect, why in model.lost if word in effect.words), "")
            return f"{word_name(word)} cannot be told from other effects{reason}"
    contrast = np.zeros(len(model.effects))
    for j, effect in enumerate(model.effects):
        shares = {sign * weights.get(word, 0.0) for word, sign in zip(effect.words, effect.signs, strict=True)}
        if len(shares) > 1:
            return f"{effect.name}: these cannot be told apart"
        contrast[j] = shares.pop()
    return contrast


def _which_matters(study: _Study) -> dict[str, Any]:
    fit, sides = study.fit, ("feature", "pixel")
    contrasts = []
    for side in sides:
        found = combine(fit.model, study.groups.main(side))
        if isinstance(found, str):
            return _without("feature_over_pixel", _blame(study, study.groups.main(side)), found)
        contrasts.append(found)
    effects = [float(contrast @ fit.estimates) for contrast in contrasts]
    # The difference in size is linear as long as neither effect changes its sign.
    interval = contrast_interval(fit, np.sign(effects[0]) * contrasts[0] - np.sign(effects[1]) * contrasts[1])
    sizes = [np.abs(bootstrap(fit) @ contrast) for contrast in contrasts]
    changes = [f"by {_signed(e)} with {study.groups.names(s)}" for s, e in zip(sides, effects, strict=True)]
    sentence = f"{METRIC} changes {changes[0]} and {changes[1]} on against off{_how(study)}, a difference in size of"
    numbers = {"feature_effect": effects[0], "pixel_effect": effects[1]}
    estimate = abs(effects[0]) - abs(effects[1])
    return _decide("feature_over_pixel", study, estimate, interval, sizes[0] - sizes[1], sentence) | numbers


def _how(study: _Study) -> str:
    """What the effects of groups stand on, where it is not the average over a design that tells interactions."""
    if study.fit.model.has_interactions:
        return ""
    if study.design not in ("figure2", "loo"):
        return " (if the terms do not interact)"
    several = any(len(side) > 1 for side in (study.groups.pixel, study.groups.feature))
    return f" in the full loss (by leaving out{', one factor after the other, added up' if several else ''})"


def _synergy(study: _Study) -> dict[str, Any]:
    fit, pairs = study.fit, study.groups.pairs(list(study.planned[0]))
    contrast = combine(fit.model, pairs) if fit.model.has_interactions else "pairs cannot be told from main effects"
    if isinstance(contrast, str):
        switched = (*study.groups.pixel, *study.groups.feature)
        both_off = any(all(row[f.name] == -1 for f in switched) for row in study.planned)
        is_unseen = not both_off and not fit.model.has_interactions
        why = "it has no arm with both groups off, so what they do together was not seen" if is_unseen else contrast
        return _without("synergy", _blame(study, pairs), why)
    contrast = direction(METRIC) * contrast
    estimate = float(contrast @ fit.estimates)
    sentence = (
        f"what one group does to {METRIC} differs by {_signed(2 * estimate)} between the other group on and off, "
        "an interaction (half of that) of"
    )
    return _decide("synergy", study, estimate, contrast_interval(fit, contrast), bootstrap(fit) @ contrast, sentence)


def _blame(study: _Study, weights: Mapping[Word, float]) -> str:
    """Whether all planned runs would tell a sum of effects."""
    whole = choose_model(study.planned, study.planned, [0] * len(study.planned))
    is_pair = any(len(word) > 1 for word in weights)
    told = not isinstance(combine(whole, weights), str) and (whole.has_interactions or not is_pair)
    return TOO_FEW if told else UNTELLABLE


def _decide(
    claim: str, study: _Study, estimate: float, interval: Interval | None, resampled: Floats, sentence: str
) -> dict[str, Any]:
    """The answer by the interval, and the sentence with its numbers."""
    said = f"{sentence} {_signed(estimate)}"
    if interval is None:
        answer, said = (
            TOO_FEW,
            f"{said} ({study.basis}); {study.fit.too_few.removeprefix(f'{TOO_FEW}: ')}, so other seeds may say the opposite",
        )
    else:
        answer = "yes" if interval.low > 0 else "no" if interval.high < 0 else UNDECIDED
        said = f"{said} (95 % interval {_signed(interval.low)} to {_signed(interval.high)}; {study.basis})"
    numbers = {"estimate": estimate, "bootstrap": percentile(resampled), **as_json(interval)}
    return _entry(claim, answer, f"{_LEADS[claim][answer]}: {said}.", numbers)


def _without(claim: str, answer: str, reason: str) -> dict[str, Any]:
    """An answer that has no numbers."""
    return _entry(
        claim, answer, f"{answer[0].upper()}{answer[1:]}: {reason}.", {"estimate": None, "bootstrap": None, **as_json(None)}
    )


def _entry(claim: str, answer: str, sentence: str, numbers: dict[str, Any]) -> dict[str, Any]:
    return {"claim": claim, "question": _QUESTIONS[claim], "metric": METRIC, "answer": answer, "sentence": sentence, **numbers}


def _signed(value: float) -> str:
    """Three significant digits with the sign."""
    return f"{value:+.3g}"

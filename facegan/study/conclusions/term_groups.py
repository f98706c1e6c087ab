"""The effect of a group of loss terms as a weighted sum of the effects of a design's factors.

Where a design switches single terms, a group's effect is the sum of the main effects of its factors, and the interaction of two
groups is the sum over their pairs. This equals switching whole groups if no three factors interact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facegan.config import GROUPS
from facegan.study.analysis.model import Floats, Model
from facegan.study.design.arms import Factor
from facegan.study.design.two_level import Word, sorted_word, word_name

Side = Literal["pixel", "feature"]


@dataclass(frozen=True, slots=True)
class TermGroups:
    """The factors that switch pixel-space terms, and those that switch feature-space terms."""

    pixel: tuple[Factor, ...]
    feature: tuple[Factor, ...]

    def factors(self, side: Side) -> tuple[Factor, ...]:
        """The factors of one group."""
        return self.pixel if side == "pixel" else self.feature

    def name(self, side: Side) -> str:
        """'the pixel-space terms (pixel, self_consistency)'."""
        return f"the {side}-space terms ({', '.join(term for factor in self.factors(side) for term in factor.terms)})"

    def main_effect(self, side: Side) -> dict[Word, float]:
        """Weights of the words in the group's main effect."""
        return {(factor.name,): 1.0 for factor in self.factors(side)}

    def left_out(self, side: Side, model: Model) -> dict[Word, float]:
        """Weights of the words in the difference between the full loss and the loss without the group.

        A word's column changes its sign with the group if it has an odd number of the group's factors.
        """
        names = {factor.name for factor in self.factors(side)}
        return {word: 1.0 for effect in model.effects for word in effect.words if len(names.intersection(word)) % 2}

    def interaction(self, order: Sequence[str]) -> dict[Word, float]:
        """Weights of the words in the interaction of the groups; `order` are all factors of the design in order."""
        return {sorted_word({p.name, f.name}, order): 1.0 for p in self.pixel for f in self.feature}


def group_factors(factors: Sequence[Factor]) -> TermGroups | str:
    """The factors by group, or the reason why they cannot be grouped."""
    pixel, feature = set(GROUPS["pixel_space"]), set(GROUPS["feature_space"])
    for factor in factors:
        if set(factor.terms) & pixel and set(factor.terms) & feature:
            return f"its factor {factor.name} switches terms of both groups at once"
    groups = TermGroups(tuple(f for f in factors if set(f.terms) & pixel), tuple(f for f in factors if set(f.terms) & feature))
    for name, found in (("pixel", groups.pixel), ("feature", groups.feature)):
        if not found:
            return f"it never switches a {name}-space term"
    return groups


def contrast_of(model: Model, weights: Mapping[Word, float]) -> Floats | str:
    """[effects] the contrast that equals a weighted sum of words, or the reason why the model has none.

    An aliased effect is the sum of its words, so it can be used only where the sum has all of them with equal weights.
    """
    known = {word for effect in model.effects for word in effect.words}
    for word in weights:
        if word not in known:
            reason = next((f": {why}" for effect, why in model.not_estimable if word in effect.words), "")
            return f"{word_name(word)} cannot be separated from other effects{reason}"
    contrast = np.zeros(len(model.effects))
    for j, effect in enumerate(model.effects):
        shares = {sign * weights.get(word, 0.0) for word, sign in zip(effect.words, effect.signs, strict=True)}
        if len(shares) > 1:
            return f"{effect.name}: these cannot be told apart"
        contrast[j] = shares.pop()
    return contrast

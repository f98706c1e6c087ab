"""Factors and arms of a design."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from facegan.config import GROUPS, LABELS, TERMS, Config
from facegan.dotted_names import path_of
from facegan.errors import UserError, did_you_mean
from facegan.study.design.two_level import Fraction, Row, add_one, factorial, fold_over, fraction, leave_one_out

_FIGURE2 = {
    "consistency": ("no_consistency", "-Cons."),
    "pixel": ("no_pixel", "-Pixel"),
    "feature_space": ("no_feature", "-Feature"),
}
_MAX_LABEL_LENGTH = 18


def _check_terms(owner: str, terms: Sequence[str]) -> None:
    for term in terms:
        if term not in TERMS:
            raise UserError(f"{owner} has {term!r}: {did_you_mean(term, list(TERMS))}")


@dataclass(frozen=True, slots=True)
class Factor:
    """Terms of the generator's loss that are switched on and off together."""

    name: str
    terms: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_terms(f"factor {self.name!r}", self.terms)
        if not self.terms:
            raise UserError(f"factor {self.name!r} has no terms: at least one of {', '.join(TERMS)}")


@dataclass(frozen=True, slots=True)
class Arm:
    """A combination of factors to train with, or a changed configuration."""

    name: str
    """Name on the command line."""
    label: str
    """Name in figures and tables."""
    without: tuple[str, ...]
    """Loss terms that are left out."""
    levels: Row = field(default_factory=dict)
    """Level of each factor of the design, +1 (on) or -1 (off); empty without a design."""
    changes: Mapping[str, str | bool | int | float] = field(default_factory=dict)
    """Other values of the configuration, by dotted name such as `loss.pixel`."""

    def __post_init__(self) -> None:
        wrong = [factor for factor, level in self.levels.items() if level not in (1, -1)]
        if wrong:
            raise UserError(f"arm {self.name!r}: the level of {wrong[0]!r} is not 1 or -1")
        _check_terms(f"arm {self.name!r}", self.without)
        for name in self.changes:
            path_of(name, Config())
        if not (self.name + self.label).isprintable():
            raise UserError(f"arm {self.name!r}: its label {self.label!r} is not one line of text")

    def apply(self, config: Config) -> Config:
        """The configuration with this arm's terms left out, then with its changes.

        Raises UserError if a change is of another type, or if the configuration refuses it.
        """
        return config.override({**{f"loss.{term}": 0.0 for term in self.without}, **self.changes})


@dataclass(frozen=True, slots=True)
class Design:
    """Factors, and the arms that combine them."""

    name: str
    factors: tuple[Factor, ...]
    arms: tuple[Arm, ...]
    extension: tuple[Arm, ...] = ()
    """Arms that extend a study of the others."""


DESIGNS = ("figure2", "loo", "add-one", "factorial", "fraction")
"""figure2: the four models of the poster's Figure 2, in its order. loo: each factor left out of the full loss. add-one: each
factor added to the loss without any. factorial: all combinations. fraction: a half or a quarter of them."""


def choose_design(
    name: str, config: Config, *, factors: Sequence[str] = (), size: str = "", names: Sequence[str] = ()
) -> Design:
    """A design of one of `DESIGNS` over factors of a configuration. Raises UserError for arguments that do not fit.

    `factors` are terms, groups (`GROUPS`) or terms joined by '+'; by default each active term but the adversarial one. `size`
    is 'half' or 'quarter' for a fraction, else empty. With `names` only these arms are kept.
    """
    if name not in DESIGNS:
        raise UserError(f"--design is {name!r}: {did_you_mean(name, list(DESIGNS))}")
    if (name == "fraction") != bool(size):
        raise UserError(f"--fraction is {size!r}: half or quarter with --design fraction, nothing with another")
    if name == "figure2" and factors:
        raise UserError(f"--factors is {' '.join(factors)!r}: figure2 has its own; name another --design")
    chosen = _factors(name, config, factors)
    arms = [_arm(row, chosen) for row in _rows(name, [f.name for f in chosen], size)]
    if name == "figure2":
        arms = [_with_figure2_names(arm) for arm in arms]
    kept = tuple(arm for arm in arms if not names or arm.name in names)
    _check_arms(name, config, arms, kept, names, chosen)
    return Design(name, chosen, kept)


def extend_by_fold_over(design: Design, config: Config) -> Design:
    """A fraction with the arms of its fold-over. Raises UserError for a design whose fold-over separates nothing."""
    folded = fold_over([arm.levels for arm in design.arms]) if design.name == "fraction" else []
    if not folded:
        raise UserError(f"--extend is fold-over and --design is {design.name!r}: only a whole fraction can be folded over")
    arms = tuple(_arm(row, design.factors) for row in folded)
    _check_arms(design.name, config, arms, arms, (), design.factors)
    return replace(design, extension=arms)


def _factors(design: str, config: Config, names: Sequence[str]) -> tuple[Factor, ...]:
    if design == "figure2":
        return tuple(_figure2_factor(name, config) for name in _FIGURE2)
    if names:
        found = tuple(_factor(name, config) for name in names)
    else:
        found = tuple(Factor(term, (term,)) for term in config.loss.active() if term != "adversarial")
    if not found:
        raise UserError(f"--design is {design!r}: no term is on but the adversarial one, so there is nothing to switch")
    owners: dict[str, str] = {}
    for factor in found:
        for term in factor.terms:
            if term in owners:
                raise UserError(f"--factors has {owners[term]!r} and {factor.name!r}: both switch {term}; keep one of them")
            owners[term] = factor.name
    return found


def _figure2_factor(name: str, config: Config) -> Factor:
    """The active terms of a group. If none is active it has all of them, and `_check_arms` refuses arms that switch it."""
    terms = GROUPS.get(name, (name,))
    return Factor(name, tuple(term for term in terms if term in config.loss.active()) or terms)


def _factor(name: str, config: Config) -> Factor:
    """The active terms of a factor, by its name on the command line."""
    terms: list[str] = []
    for part in name.split("+"):
        if part not in (*TERMS, *GROUPS):
            raise UserError(f"--factors has {part!r}: {did_you_mean(part, [*TERMS, *GROUPS])}")
        on = [term for term in GROUPS.get(part, (part,)) if term in config.loss.active()]
        if not on:
            first = GROUPS.get(part, (part,))[0]
            raise UserError(
                f"--factors has {name!r}: {part} is off in this configuration; give it a weight, as --loss.{first} 1"
            )
        terms += on
    if len(set(terms)) < len(terms):
        raise UserError(f"--factors has {name!r}: it names a term twice")
    return Factor(name, tuple(terms))


def _rows(design: str, factors: list[str], size: str) -> list[Row]:
    if design in ("figure2", "loo"):
        return leave_one_out(factors)
    if design == "add-one":
        return add_one(factors)
    if design == "factorial":
        return factorial(factors)
    for allowed in get_args(Fraction):
        if size == allowed:
            return fraction(factors, allowed)
    raise UserError(f"--fraction is {size!r}: {did_you_mean(size, list(get_args(Fraction)))}")


def _arm(row: Row, factors: Sequence[Factor]) -> Arm:
    """The arm of a row, named by the factors that are off, or by those that are on where these are fewer."""
    on, off = ([f.name for f in factors if row[f.name] == level] for level in (1, -1))
    without = tuple(term for f in factors if row[f.name] == -1 for term in f.terms)
    if not off:
        return Arm("full", "Full", without, row)
    if not on:
        return Arm("base", "Base", without, row)
    sign, word, shown = ("-", "no", off) if len(off) <= len(on) else ("+", "only", on)
    return Arm(f"{word}_{'+'.join(shown)}", _label(sign, shown), without, row)


def _label(sign: str, factors: list[str]) -> str:
    """'-Pixel -Identity', abbreviated where that is too long for a figure."""
    long = " ".join(sign + "+".join(LABELS[part].label for part in f.split("+")) for f in factors)
    short = " ".join(sign + "+".join(LABELS[part].short for part in f.split("+")) for f in factors)
    return long if len(long) <= _MAX_LABEL_LENGTH else short


def _with_figure2_names(arm: Arm) -> Arm:
    off = [f for f, level in arm.levels.items() if level == -1]
    return Arm(*_FIGURE2[off[0]], arm.without, arm.levels) if off else arm


def _check_arms(
    design: str, config: Config, arms: Sequence[Arm], kept: Sequence[Arm], names: Sequence[str], factors: Sequence[Factor]
) -> None:
    known = [arm.name for arm in arms]
    for name in names:
        if name not in known:
            raise UserError(f"--arms has {name!r}, no arm of {design}: {did_you_mean(name, known)}")
    for factor in factors:
        is_switched = any(arm.levels[factor.name] == -1 for arm in kept)
        if is_switched and not set(factor.terms) & set(config.loss.active()):
            raise UserError(
                f"--design is {design!r}: it switches {factor.name}, which is off in this configuration; "
                "give it a weight, or name the other arms with --arms"
            )
    for arm in kept:
        if not set(config.loss.active()) - set(arm.without):
            raise UserError(
                f"--design is {design!r}: its arm {arm.name!r} leaves no term of the generator's loss; "
                "keep one out of --factors, or name the other arms with --arms"
            )

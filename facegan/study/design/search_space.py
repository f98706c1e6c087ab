"""What a search varies: ranges and choices of values of the configuration, by dotted name.

A word 'loss.pixel=1..100' is a range, in which values are drawn log-uniformly; 'model.head=colour,mask' is a choice. A file has
one word a line; empty lines and lines that begin with # are skipped.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.config import LARGEST_WEIGHT, SMALLEST_WEIGHT, TERMS, Config
from facegan.dotted_names import path_of
from facegan.errors import UserError

Value = float | int | bool | str
Values = dict[str, Value]
"""Values of the configuration by dotted name."""

_DECADES = 1.0
"""Powers of ten on either side of a weight, in the default space."""
_SEARCHED = ("loss", "optim", "model")
_FIXED = ("optim.batch", "optim.precision", "optim.tf32", "optim.cuda_graph", "model.first_layer", "loss.adversarial")
_LONGEST_FILE = 100_000
"""Bytes of a file with a search space."""
_MOST_VALUES = 100
"""Of a choice."""
_GRID_LEVELS = 3
"""Values of a range in a grid: both ends and their geometric mean."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of the configuration that a search varies: within a range, or among choices."""

    name: str
    """Dotted name."""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    """As given on the command line."""
    is_integer: bool = False

    def __post_init__(self) -> None:
        is_range = self.low is not None and self.high is not None and 0 < self.low < self.high
        if is_range == bool(self.choices) or (self.choices and (self.low is not None or self.high is not None)):
            raise UserError(f"--space has {self.name!r}: a range such as 1..100, above 0 and rising, or choices such as a,b")
        if len(set(self.choices)) < len(self.choices) or len(self.choices) == 1 or len(self.choices) > _MOST_VALUES:
            raise UserError(f"--space has {self.name}={','.join(self.choices[:5])}: 2 to {_MOST_VALUES} different choices")

    def levels(self) -> list[Value]:
        """The values of a grid."""
        if self.low is None or self.high is None:
            return list(self.choices)
        middle = (self.low * self.high) ** 0.5
        return list(dict.fromkeys(self.rounded(value) for value in (self.low, middle, self.high)[:_GRID_LEVELS]))

    def rounded(self, value: float) -> Value:
        """A drawn value as it is written in a configuration: whole, or with three significant digits."""
        return round(value) if self.is_integer else float(f"{value:.3g}")

    def __str__(self) -> str:
        values = f"{self.low:g}..{self.high:g}" if self.low is not None else ",".join(self.choices)
        return f"{self.name}={values}"


def default_space(config: Config) -> tuple[Parameter, ...]:
    """Each active weight but the adversarial one, within a factor of ten.

    Adam's steps do not depend on the scale of the whole loss, so one weight can be kept.
    """
    weights = config.loss.weights()
    searched = (term for term in config.loss.active() if term != "adversarial")
    reach = 10**_DECADES
    ends = {
        term: (max(SMALLEST_WEIGHT, weights[term] / reach), min(LARGEST_WEIGHT, weights[term] * reach)) for term in searched
    }
    return tuple(Parameter(f"loss.{term}", float(f"{low:.6g}"), float(f"{high:.6g}")) for term, (low, high) in ends.items())


def parse_space(words: Sequence[str], config: Config) -> tuple[Parameter, ...]:
    """The parameters that words or files name; without any, `default_space`. Raises UserError for what cannot be searched."""
    if not words:
        return default_space(config)
    found = [_parse(word, config) for given in words for word in ([given] if "=" in given else _lines(given))]
    names = [parameter.name for parameter in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"--space has {twice[0]!r} twice; keep one of them")
    if not found:
        raise UserError(f"--space is {' '.join(words)!r}: it names no value; add a line such as loss.pixel=1..100")
    return tuple(found)


def of_arm(space: Sequence[Parameter], config: Config) -> tuple[Parameter, ...]:
    """The parameters that matter to an arm's configuration: without the weights of terms that it leaves out."""
    off = {f"loss.{term}" for term in TERMS if not config.loss.weights()[term]}
    return tuple(parameter for parameter in space if parameter.name not in off)


def typed(values: Mapping[str, Value], config: Config) -> Values:
    """Values with the types that their fields have; choices are texts until here. Raises UserError for a text that is none."""
    flat = config.flat()
    return {name: _typed(name, value, flat[name]) for name, value in values.items()}


def grid(space: Sequence[Parameter]) -> list[Values]:
    """Every combination of the levels."""
    return [dict(zip([p.name for p in space], found, strict=True)) for found in itertools.product(*(p.levels() for p in space))]


def _lines(path: str) -> list[str]:
    try:
        content = Path(path).read_bytes()[: _LONGEST_FILE + 1]
        lines = [line.strip() for line in content.decode().splitlines()]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"--space has {path!r}: no value=range, and no file that can be read ({reason})") from None
    if len(content) > _LONGEST_FILE:
        raise UserError(f"--space has {path!r}: a file of at most {_LONGEST_FILE} bytes")
    return [line for line in lines if line and not line.startswith("#")]


def _parse(word: str, config: Config) -> Parameter:
    name, _, text = (part.strip() for part in word.partition("="))
    if not word.isprintable() or not name or not text:
        raise UserError(f"--space has {word!r}: such as loss.pixel=1..100 or model.head=colour,mask")
    try:
        path_of(name, config)
    except UserError as error:
        raise UserError(f"--space: {error}") from None
    if name.partition(".")[0] not in _SEARCHED or name in _FIXED:
        raise UserError(
            f"--space has {name!r}: candidates must see the same images; a search varies {', '.join(_SEARCHED)}, "
            f"but not {', '.join(_FIXED)}"
        )
    parameter = _parameter(name, text, config)
    for value in parameter.levels():
        try:
            config.override(typed({name: value}, config))
        except UserError as error:
            raise UserError(f"--space has {word!r}: {error}") from None
    return parameter


def _parameter(name: str, text: str, config: Config) -> Parameter:
    if ".." not in text:
        return Parameter(name, choices=tuple(part.strip() for part in text.split(",")))
    kind = type(config.flat()[name])
    low, _, high = text.partition("..")
    try:
        ends = [float(end) for end in (low, high)]
    except ValueError:
        ends = []
    if kind not in (int, float) or not ends or not all(0 < end < float("inf") for end in ends):
        of = "numbers" if kind in (int, float) else f"choices, because its values are of type {kind.__name__}"
        raise UserError(f"--space has {name}={text}: it takes {of}, such as loss.pixel=1..100 or model.head=colour,mask")
    return Parameter(name, low=ends[0], high=ends[1], is_integer=kind is int)


def _typed(name: str, value: Value, like: Value) -> Value:
    if not isinstance(value, str) or isinstance(like, str):
        return value
    if isinstance(like, bool):
        if value in ("True", "False"):
            return value == "True"
    else:
        try:
            return type(like)(value)
        except ValueError:
            pass
    raise UserError(f"{name} is {value!r}: a value of type {type(like).__name__}")

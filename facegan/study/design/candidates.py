"""The values that an arm's candidates are given: drawn at random, from a grid, or proposed by Optuna from what was measured.

Candidate 0 is the arm as it is configured. Optuna's samplers are asked for a generation of candidates at a time, and told what
the whole generation measured. Proposals depend on the arm's name, on the candidates before and on their measurements alone, so
an interrupted search goes on as it would have.
"""

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.search_space import Parameter, Values, grid, of_arm, typed

SamplerName = Literal["random", "grid", "tpe", "nsga2"]
OBJECTIVES = ("following", "identity", "image")
"""The distances that candidates are compared by (`facegan.study.search.objectives`); less is better."""
MOST_CANDIDATES = 10_000
"""Of an arm."""
REDUCTION = 3
"""Of the candidates at a rung, the best one in three goes on to the next."""
_RUNGS = (1 / 9, 1 / 4, 1 / 2)
"""Shares of a run. At a 27th the order of candidates foretold nothing (jobs/bench/search.py)."""
_ATTEMPTS = 50
"""Proposals for each candidate before a space counts as used up: samplers repeat themselves."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How a search chooses its candidates. It is part of the plan."""

    space: tuple[Parameter, ...]
    sampler: SamplerName
    candidates: int
    """Of each arm."""
    generation: int
    """Candidates of an arm that are proposed at a time, from what those before measured."""
    finalists: int = 1
    """Of each arm, to be trained again; the search goes on until as many have trained to the end."""

    def __post_init__(self) -> None:
        if not 2 <= self.candidates <= MOST_CANDIDATES:
            raise UserError(f"--candidates is {self.candidates}: from 2 to {MOST_CANDIDATES}, the configured weights included")
        if not 2 <= self.generation <= MOST_CANDIDATES:
            raise UserError(f"--generation is {self.generation}: from 2 to {MOST_CANDIDATES} candidates")
        if not 1 <= self.finalists <= self.candidates:
            raise UserError(f"--finalists is {self.finalists}: from 1 to --candidates ({self.candidates})")

    def at_a_time(self) -> int:
        """Candidates of an arm that are proposed together: a generation, or all where the sampler does not learn."""
        return self.generation if self.sampler in ("tpe", "nsga2") else self.candidates


def rungs_of(images: int, batch: int) -> tuple[int, ...]:
    """The rungs of runs of so many images: after a ninth of them, a quarter and a half, in whole batches."""
    return tuple(sorted({max(1, round(share * images / batch)) * batch for share in _RUNGS} - {images}))


@dataclass(frozen=True, slots=True)
class Told:
    """A candidate that has ended: its values, and its last distances, None if it diverged or failed."""

    values: Values
    distances: tuple[float, float, float] | None


def check_settings(settings: SearchSettings, config: Config) -> None:
    """Raise UserError if the settings leave an arm of this configuration nothing to search, or a grid is larger than asked."""
    space = of_arm(settings.space, config)
    if not space:
        names = ", ".join(parameter.name for parameter in settings.space)
        raise UserError(f"--space has {names}: an arm leaves all of these out; add another value, or name other --arms")
    points = len(_grid(space, config)) if settings.sampler == "grid" else 0
    if points + 1 > settings.candidates:
        raise UserError(
            f"--candidates is {settings.candidates}: the grid has {points} points; give --candidates {points + 1}, with the "
            "configured weights, or another --sampler"
        )


def propose(settings: SearchSettings, arm: str, config: Config, told: Sequence[Told]) -> list[Values]:
    """The values of the next candidates of an arm, none if it has all of them; `told` are those that it has, in order.

    `config` is the arm's configuration.
    """
    space = of_arm(settings.space, config)
    if settings.sampler == "grid":
        return [{}, *_grid(space, config)][len(told) :]
    count = min(settings.at_a_time(), settings.candidates - len(told))
    if count <= 0:
        return []
    return _ask(settings, arm, config, space, told, count)


def _grid(space: Sequence[Parameter], config: Config) -> list[Values]:
    """The points of the grid without that of the arm as configured, which is candidate 0."""
    points = (typed(values, config) for values in grid(space))
    return [values for values in points if config.override(values) != config]


def _ask(
    settings: SearchSettings, arm: str, config: Config, space: Sequence[Parameter], told: Sequence[Told], count: int
) -> list[Values]:
    import optuna  # slow to import, which refusing a bad flag need not wait for

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = _starting_at(_configured(config, space), _sampler(settings, arm))
    study = optuna.create_study(directions=["minimize"] * len(OBJECTIVES), sampler=sampler)
    distributions = {parameter.name: _distribution(parameter) for parameter in space}
    known: list[dict[str, Any]] = []

    # Propose the generations that have ended once more, which gives the same values, and say what they measured.
    for start in range(0, len(told), settings.generation):
        generation = told[start : start + settings.generation]
        trials = _propose_once(study, distributions, space, config, known, len(generation))
        if [values for values, _ in trials] != [candidate.values for candidate in generation]:
            raise UserError(
                f"--sampler {settings.sampler}: this version of Optuna proposes other values than the one that began the "
                "search; install the version of constraints.txt, or begin another search"
            )
        for (_, trial), candidate in zip(trials, generation, strict=True):
            study.tell(trial, candidate.distances, None if candidate.distances else optuna.trial.TrialState.FAIL)
    return [values for values, _ in _propose_once(study, distributions, space, config, known, count)]


def _propose_once(
    study: Any,
    distributions: dict[str, Any],
    space: Sequence[Parameter],
    config: Config,
    known: list[dict[str, Any]],
    count: int,
) -> list[tuple[Values, Any]]:
    """Up to `count` values that are not `known` yet, to which they are added, with their trials in Optuna.

    The first of all is the arm as configured. A small space can be used up before all are found.
    """
    import optuna

    found: list[tuple[Values, Any]] = []
    if not known:
        found.append(({}, study.ask(distributions)))
        known.append(_configured(config, space))
    for _ in range(_ATTEMPTS * count):
        if len(found) == count:
            break
        trial = study.ask(distributions)
        values = {p.name: p.rounded(trial.params[p.name]) if p.low is not None else trial.params[p.name] for p in space}
        if values in known:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            known.append(values)
            found.append((typed(values, config), trial))
    return found


def _sampler(settings: SearchSettings, arm: str) -> Any:
    import optuna

    seed = zlib.crc32(arm.encode())
    if settings.sampler == "tpe":
        # A generation is asked for at once, so the candidates that are not measured yet count as bad ones.
        with warnings.catch_warnings(category=optuna.exceptions.ExperimentalWarning, action="ignore"):
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=settings.generation)
    if settings.sampler == "nsga2":
        with warnings.catch_warnings(category=optuna.exceptions.ExperimentalWarning, action="ignore"):
            crossover = optuna.samplers.nsgaii.SBXCrossover()  # the default one swaps values of the parents alone
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=settings.generation, crossover=crossover)
    return optuna.samplers.RandomSampler(seed=seed)


def _starting_at(first: dict[str, Any], sampler: Any) -> Any:
    """The sampler, which proposes these values first.

    `enqueue_trial` of Optuna would leave them out of the population of NSGA-II.
    """
    draw = sampler.sample_independent

    def first_or_drawn(study: Any, trial: Any, name: str, distribution: Any) -> Any:
        return first[name] if trial.number == 0 and name in first else draw(study, trial, name, distribution)

    sampler.sample_independent = first_or_drawn
    return sampler


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if parameter.low is None or parameter.high is None:
        return CategoricalDistribution(parameter.choices)
    return FloatDistribution(parameter.low, parameter.high, log=True)


def _configured(config: Config, space: Sequence[Parameter]) -> dict[str, Any]:
    """The values of the configuration as Optuna would propose them; one outside of its range is moved to the nearest end."""
    flat = config.flat()
    asked: dict[str, Any] = {}
    for parameter in space:
        value = flat[parameter.name]
        if parameter.low is not None and parameter.high is not None:
            asked[parameter.name] = min(max(float(value), parameter.low), parameter.high)
        elif str(value) in parameter.choices:
            asked[parameter.name] = str(value)
    return asked

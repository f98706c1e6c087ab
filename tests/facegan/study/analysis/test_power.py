"""Power: at the effect that is said to be detectable, 80 % of simulated studies find it."""

import numpy as np
import pytest

from facegan.study.analysis.effect_records import EffectNoise, RunNoise
from facegan.study.analysis.effects import analyse_metric
from facegan.study.analysis.intervals import contrast_interval
from facegan.study.analysis.power import detectable_effect, effect_weights, planned_power, probability_found
from facegan.study.design.two_level import factorial, fraction
from tests.facegan.study.analysis.test_coverage import fit_of, with_values
from tests.facegan.study.planted import METRIC, SQUARE, Floats, by_name, runs_of
from tests.known import known

RUN, PEOPLE, REST = 1.0, 1.2, 0.8


def study_of(effect: float, seeds: int, people: int, rng: np.random.Generator) -> Floats:
    """[runs, people] of a 2 x 2 design in which a has an effect that differs between people."""
    signs = np.tile([row["a"] for row in SQUARE], seeds)[:, None]
    values = rng.normal(0, RUN, (4 * seeds, 1)) + rng.normal(0, REST, (4 * seeds, people))
    return np.asarray(values + signs / 2 * (effect + rng.normal(0, PEOPLE, people)))


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "people", "tests"), [(3, 12, 1), (5, 12, 11), (5, 40, 11), (3, 12, 11)])
def test_an_effect_of_the_detectable_size_is_found_in_80_percent_of_studies(seeds: int, people: int, tests: int) -> None:
    """With other people in each study, and after Holm's adjustment."""
    (power,) = [planned_power(METRIC, RunNoise(RUN, PEOPLE, REST), SQUARE, (seeds,), people, 0.05 / tests, None)]
    fit, found = fit_of(SQUARE, seeds), 0
    first = [effect.name for effect in fit.model.effects].index("a")
    for study in range(1000):
        rng = np.random.default_rng([study, seeds, people])
        if people != 12:
            fit = with_values(fit, np.zeros((4 * seeds, people)))
        values = with_values(fit, study_of(power.detectable[seeds], seeds, people, rng))
        found += known(contrast_interval(values, np.eye(3)[first])).p < 0.05 / tests
    print(f"\npower at the detectable effect, {seeds} seeds, {people} people, {tests} tests: {found / 1000}")
    assert 0.76 <= found / 1000 <= 0.84


def test_the_noise_of_a_study_is_found_from_its_scores() -> None:
    values = study_of(3.0, 60, 60, np.random.default_rng(2))
    effect = by_name(analyse_metric(METRIC, runs_of(SQUARE, range(60), values), SQUARE))["a"]
    noise = known(effect.noise).of_runs
    assert (noise.run, noise.people, noise.rest) == pytest.approx((RUN, PEOPLE, REST), rel=0.15)


def test_the_noise_between_people_does_not_contain_that_of_few_seeds() -> None:
    """With few seeds a person's mean is far from what it would be with many."""
    found = []
    for study in range(30):
        rng = np.random.default_rng([study, 3])
        signs = np.tile([row["a"] for row in SQUARE], 3)[:, None]
        values = rng.normal(0, RUN, (12, 1)) + rng.normal(0, 1.7, (12, 40)) + signs / 2 * (3 + rng.normal(0, PEOPLE, 40))
        effect = by_name(analyse_metric(METRIC, runs_of(SQUARE, range(3), values), SQUARE))["a"]
        found.append(known(effect.noise).of_runs.people ** 2)
    assert np.mean(found) == pytest.approx(PEOPLE**2, rel=0.25)


def test_power_grows_with_seeds_and_is_limited_by_people() -> None:
    noise = EffectNoise(1.0, 1.0, 0.0)
    sizes = [known(detectable_effect(noise, seeds, 12, 0.05)) for seeds in (2, 3, 5, 20, 1000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0.8, "people alone: (2.2 + 0.88) / sqrt(12)"
    assert detectable_effect(noise, 1, 12, 0.05) is None
    power = planned_power(METRIC, RunNoise(1.0, 0.1, 0.0), SQUARE, (3,), 12, 0.05, 2.0)
    needed = known(power.seeds_needed)
    assert known(detectable_effect(EffectNoise(1.0, 0.1, 0.0), needed, 12, 0.05)) <= 2.0
    assert known(detectable_effect(EffectNoise(1.0, 0.1, 0.0), needed - 1, 12, 0.05)) > 2.0


def test_weights_of_effects() -> None:
    """Four over the number of arms for a factorial or a regular fraction."""
    assert effect_weights(factorial("abc")) == pytest.approx([0.5] * 7)
    assert effect_weights(fraction("abcde", "half")) == pytest.approx([0.25] * 15)


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "seeds", "tests"), [(1.5, 3, 1), (2.0, 5, 11)])
def test_the_smallest_effect_of_interest_is_found_as_often_as_said(effect: float, seeds: int, tests: int) -> None:
    """With other people in each study; the share of 600 studies has a standard error of 0.02."""
    power = planned_power(METRIC, RunNoise(RUN, PEOPLE, REST), SQUARE, (seeds,), 12, 0.05 / tests, effect)
    fit, found = fit_of(SQUARE, seeds), 0
    first = [each.name for each in fit.model.effects].index("a")
    for study in range(600):
        values = with_values(fit, study_of(effect, seeds, 12, np.random.default_rng([study, seeds, 7])))
        found += known(contrast_interval(values, np.eye(3)[first])).p < 0.05 / tests
    print(f"\neffect {effect}, {seeds} seeds, {tests} tests: said {power.probability[seeds]:.3f}, found {found / 600:.3f}")
    assert power.probability[seeds] == pytest.approx(found / 600, abs=0.06)
    assert 0.1 < power.probability[seeds] < 0.9


def test_the_chance_of_the_detectable_effect_is_80_percent_and_one_seed_finds_nothing() -> None:
    noise = EffectNoise(1.0, 1.0, 0.5)
    size = known(detectable_effect(noise, 4, 12, 0.01))
    assert probability_found(size, noise, 4, 12, 0.01) == pytest.approx(0.8)
    assert probability_found(size / 2, noise, 4, 12, 0.01) < 0.5
    assert probability_found(size, noise, 1, 12, 0.01) == 0.0
    assert probability_found(0.1, EffectNoise(0.0, 0.0, 0.0), 4, 12, 0.01) == 1.0

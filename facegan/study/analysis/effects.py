"""What each factor of a study does to each headline metric: effects, interactions, intervals and adjusted p values.

The unit of replication is the training run; seeds are blocks. Scores are means over test people. All seeds count
alike: no result is that of the best seed. Missing runs are listed, with bounds on how much they could change each effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from facegan.metrics.table import HEADLINES, METRICS, display_name
from facegan.study.analysis.contrasts import added_alone_contrasts, leave_one_out_contrasts, noise_by_arm
from facegan.study.analysis.effect_records import (
    EffectEstimate,
    HypothesisFamily,
    MetricEffects,
    Noise,
    PooledInterval,
    StudyEffects,
)
from facegan.study.analysis.holm import adjust_family
from facegan.study.analysis.intervals import Interval, bootstrap, contrast_interval, percentile_interval, pooled_interval
from facegan.study.analysis.looks import Look, present_look
from facegan.study.analysis.model import Effect, Fit, Floats, Model, choose_model, fit_model
from facegan.study.analysis.model_text import describe_inference, describe_model, model_of_plan, not_estimable
from facegan.study.analysis.power import detectable_effect, noise_of_effect, noise_of_runs
from facegan.study.analysis.runs import Run, RunTable, bounds_with_missing_runs, missing_runs, table_of_runs
from facegan.study.analysis.seed_variance import variance_from_seeds
from facegan.study.analysis.variance_components import variance_components
from facegan.study.design.analysis_plan import AnalysisPlan, default_analysis
from facegan.study.design.two_level import Row, alias_table, resolution


@dataclass(frozen=True, slots=True)
class DecisionRules:
    """What the tests of one metric are judged by."""

    look: Look = field(default_factory=Look)
    tests: int = 1
    """Size of the family of tests."""
    smallest: float = 0.0
    """The smallest effect of interest; 0: none is declared."""

    @property
    def level_of_one(self) -> float:
        """The level that Holm's adjustment leaves to the most significant test, at this look."""
        return self.look.nominal_level / self.tests


_ONE_TEST = DecisionRules()


def analyse_study(
    runs: Mapping[str, Sequence[Run]],
    planned: Sequence[Row],
    analysis: AnalysisPlan | None = None,
    claims: Mapping[str, float | None] | None = None,
) -> StudyEffects:
    """The effects on each headline metric, from all planned runs by metric; `planned` are the levels of the arms.

    `claims` maps the claims that the design can answer to their p values, which join the family of tests. None: no p yet.
    """
    analysis = analysis or default_analysis()
    headlines, replaced = choose_headlines(runs)
    look = look_of(analysis, runs)
    family = tuple(effect.name for effect in model_of_plan(planned).effects)
    tests = len(family) * len(headlines) + len(claims or {})
    metrics = {
        m: analyse_metric(m, runs[m], planned, DecisionRules(look, tests, analysis.smallest_effects.get(m, 0.0)))
        for m in headlines
    }
    metrics, adjusted = adjust_family(metrics, claims or {}, tests, look)
    return StudyEffects(
        factors=tuple(planned[0]) if planned else (),
        resolution=resolution(planned),
        aliases=alias_table(planned),
        family=HypothesisFamily(
            metrics=headlines,
            effects=family,
            claims=adjusted,
            tests=tests,
            adjustment="Holm, over every effect on every metric listed here and each claim; no estimate counts as p = 1",
        ),
        look=len(look.shares),
        looks_left=look.left,
        nominal_level=look.nominal_level,
        replaced=replaced,
        metrics=metrics,
    )


def look_of(analysis: AnalysisPlan, runs: Mapping[str, Sequence[Run]]) -> Look:
    """The look at which a study with these runs is: that of the number of seeds with scores."""
    seeds = {run.seed for found in runs.values() for run in found if run.clips}
    return present_look(analysis.looks, len(seeds), analysis.level)


def choose_headlines(runs: Mapping[str, Sequence[Run]]) -> tuple[tuple[str, ...], str]:
    """The metrics to analyse, and a sentence on what was replaced: '' where nothing was.

    The landmark error exists only where a face is found. A run without a face on most clips has no value, and without that run
    the design falls apart, although the run failed at what was asked. Its area under the cumulative error curve has a value on
    every clip, because an image without a face counts as a failure.
    """
    chosen, sentences = [], []
    for metric in HEADLINES:
        stand_in = METRICS[metric].stand_in
        without = table_of_runs(runs[metric]).barely_measured if stand_in else ()
        if not without or table_of_runs(runs[stand_in]).barely_measured or not any(run.clips for run in runs[stand_in]):
            chosen.append(metric)
            continue
        chosen.append(stand_in)
        names = ", ".join(f"{run.arm} (seed {run.seed})" for run in without)
        sentences.append(
            f"The {display_name(metric)} has no value on most clips in {names}, because no face was found there. The "
            f"{display_name(stand_in)} is analysed instead. The {display_name(metric)} stays in the table of scores"
        )
    return tuple(chosen), ". ".join(sentences)


def direction(metric: str) -> int:
    """1 if more of a metric is better, -1 if less is."""
    return {"more": 1, "less": -1}[METRICS[metric].better]


def analyse_metric(metric: str, runs: Sequence[Run], planned: Sequence[Row], rules: DecisionRules = _ONE_TEST) -> MetricEffects:
    """The effects of all factors on one metric, from the runs that have scores."""
    table = table_of_runs(runs)
    model, fit = fit_table(table, planned)
    factors = list(planned[0]) if planned else []
    effects = _estimates(fit, table, metric, rules) if fit else ()
    known = [effect.degrees_of_freedom for effect in effects if effect.degrees_of_freedom is not None]
    return MetricEffects(
        metric=metric,
        better=METRICS[metric].better,
        runs=len(table.runs),
        planned=len(runs),
        seeds=len(set(table.seeds)),
        clips=len(table.clips),
        clips_left_out=table.clips_left_out,
        missing=missing_runs(table),
        model=describe_model(model, fit),
        sigma=fit.sigma if fit and fit.degrees_of_freedom else None,
        degrees_of_freedom=fit.degrees_of_freedom if fit else None,
        noise_by_arm=noise_by_arm(table),
        variance=variance_components(table),
        smallest_of_interest=rules.smallest or None,
        inference=describe_inference(fit, table, rules.look, min(known, default=None)),
        effects=effects,
        not_estimable=tuple(not_estimable(model, planned)),
        leave_one_out=leave_one_out_contrasts(table, fit, factors, rules.look.nominal_level),
        added_alone=added_alone_contrasts(table, factors, rules.look.nominal_level),
    )


def fit_table(table: RunTable, planned: Sequence[Row]) -> tuple[Model, Fit | None]:
    """The model that the runs can estimate, and its fit; None where they can estimate no effect."""
    model = choose_model(planned, table.rows, table.seeds)
    return model, fit_model(model, table.rows, table.seeds, table.values) if model.effects else None


def _estimates(fit: Fit, table: RunTable, metric: str, rules: DecisionRules) -> tuple[EffectEstimate, ...]:
    resampled, bounds = bootstrap(fit), bounds_with_missing_runs(fit.model, table)
    return tuple(
        _estimate(fit, j, effect, direction(metric), resampled[:, j], None if bounds is None else bounds[j], rules)
        for j, effect in enumerate(fit.model.effects)
    )


def _estimate(
    fit: Fit, j: int, effect: Effect, better: int, resampled: Floats, bounds: Floats | None, rules: DecisionRules
) -> EffectEstimate:
    contrast, estimate = np.eye(len(fit.estimates))[j], float(fit.estimates[j])
    interval, pooled = contrast_interval(fit, contrast, rules.look.nominal_level), pooled_interval(fit, contrast)
    noise, detectable = _noise(fit, fit.weights[j], interval), None
    if noise:
        detectable = detectable_effect(noise.of_effect, len(set(fit.seeds)), fit.values.shape[1], rules.level_of_one)
    return EffectEstimate(
        name=effect.name,
        order=len(effect.words[0]),
        members=effect.words,
        estimate=estimate,
        helps=bool(estimate * better > 0),
        interval=interval and interval.bounds,
        p=interval and interval.p,
        standard_error=interval and interval.standard_error,
        degrees_of_freedom=interval and interval.degrees_of_freedom,
        p_holm=None,
        p_equivalent=interval.p_within(rules.smallest) if interval and rules.smallest else None,
        pooled=pooled and PooledInterval(pooled.bounds, pooled.p, int(pooled.degrees_of_freedom)),
        bootstrap=percentile_interval(resampled),
        noise=noise,
        detectable=detectable,
        if_missing=None if bounds is None else (float(bounds[0]), float(bounds[1])),
        sign_survives=None if bounds is None else bool(bounds.min() > 0 or bounds.max() < 0),
    )


def _noise(fit: Fit, weights: Floats, interval: Interval | None) -> Noise | None:
    variance = variance_from_seeds(fit, weights)
    if variance is None or interval is None:
        return None
    seeds = len(set(fit.seeds))
    of_effect = noise_of_effect(variance, interval, seeds, fit.values.shape[1])
    return Noise(of_effect, noise_of_runs(of_effect, float(weights @ weights) * seeds))

"""What each factor of a study does to each headline metric: effects, interactions, intervals and adjusted p values.

The unit of replication is the training run; seeds are blocks. Scores are means over test people. All seeds count
alike: no result is that of the best seed. Missing runs are listed, with bounds on how much they could change each effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from facegan.metrics.table import HEADLINES, METRICS, display_name
from facegan.study.analysis.contrasts import added_alone_contrasts, leave_one_out_contrasts, noise_by_arm
from facegan.study.analysis.effect_records import (
    EffectEstimate,
    HypothesisFamily,
    MetricEffects,
    NotEstimable,
    RobustInference,
    StudyEffects,
)
from facegan.study.analysis.intervals import RESAMPLES, bootstrap, contrast_interval, detectable_effect, percentile_interval
from facegan.study.analysis.model import Effect, Fit, Floats, Model, choose_model, effects_of, fit_model
from facegan.study.analysis.runs import Run, RunTable, bounds_with_missing_runs, missing_runs, table_of_runs
from facegan.study.design.two_level import Row, alias_table, resolution, word_name, words

_NOISY = 5
"""Ratio of an arm's noise to that of the others from which on a warning is given. At a ratio of ten, 95 % intervals of three
seeds cover in 90 % of simulated studies."""


def analyse_study(runs: Mapping[str, Sequence[Run]], planned: Sequence[Row]) -> StudyEffects:
    """The effects on each headline metric, from all planned runs by metric; `planned` are the levels of the arms."""
    headlines, replaced = choose_headlines(runs)
    metrics = {metric: analyse_metric(metric, runs[metric], planned) for metric in headlines}
    family = tuple(effect.name for effect in _model_of_plan(planned).effects)
    return StudyEffects(
        factors=tuple(planned[0]) if planned else (),
        resolution=resolution(planned),
        aliases=alias_table(planned),
        family=HypothesisFamily(
            metrics=headlines,
            effects=family,
            tests=len(family) * len(headlines),
            adjustment="Holm, over every effect on every metric listed here; an effect without an estimate counts as p = 1",
        ),
        replaced=replaced,
        metrics=_adjust_p_values(metrics, len(family) * len(headlines)),
    )


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


def analyse_metric(metric: str, runs: Sequence[Run], planned: Sequence[Row]) -> MetricEffects:
    """The effects of all factors on one metric, from the runs that have scores."""
    table = table_of_runs(runs)
    model, fit = fit_table(table, planned)
    factors = list(planned[0]) if planned else []
    return MetricEffects(
        metric=metric,
        better=METRICS[metric].better,
        runs=len(table.runs),
        planned=len(runs),
        seeds=len(set(table.seeds)),
        clips=len(table.clips),
        clips_left_out=table.clips_left_out,
        missing=missing_runs(table),
        model=_describe_model(model, fit),
        sigma=fit.sigma if fit and fit.degrees_of_freedom else None,
        degrees_of_freedom=fit.degrees_of_freedom if fit else None,
        noise_by_arm=noise_by_arm(table),
        inference=_describe_inference(fit, table),
        hc3=fit.no_hc3_reason if fit else "no effect can be estimated",
        effects=_estimates(fit, table, direction(metric)) if fit else (),
        not_estimable=tuple(_not_estimable(model, planned)),
        leave_one_out=leave_one_out_contrasts(table, fit, factors),
        added_alone=added_alone_contrasts(table, factors),
    )


def fit_table(table: RunTable, planned: Sequence[Row]) -> tuple[Model, Fit | None]:
    """The model that the runs can estimate, and its fit; None where they can estimate no effect."""
    model = choose_model(planned, table.rows, table.seeds)
    return model, fit_model(model, table.rows, table.seeds, table.values) if model.effects else None


def _model_of_plan(planned: Sequence[Row]) -> Model:
    """The model that the finished study can estimate; its effects are the declared family of tests."""
    return choose_model(planned, planned, [0] * len(planned))


def _estimates(fit: Fit, table: RunTable, better: int) -> tuple[EffectEstimate, ...]:
    resampled, bounds = bootstrap(fit), bounds_with_missing_runs(fit.model, table)
    return tuple(
        _estimate(fit, j, effect, better, resampled[:, j], None if bounds is None else bounds[j])
        for j, effect in enumerate(fit.model.effects)
    )


def _estimate(fit: Fit, j: int, effect: Effect, better: int, resampled: Floats, bounds: Floats | None) -> EffectEstimate:
    estimate = float(fit.estimates[j])
    interval = contrast_interval(fit, np.eye(len(fit.estimates))[j])
    hc3 = None
    if fit.hc3 is not None:
        error, low, high, p = map(float, fit.hc3[j])
        hc3 = RobustInference(error, (low, high), p)
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
        hc3=hc3,
        bootstrap=percentile_interval(resampled),
        detectable=detectable_effect(fit, j),
        if_missing=None if bounds is None else (float(bounds[0]), float(bounds[1])),
        sign_survives=None if bounds is None else bool(bounds.min() > 0 or bounds.max() < 0),
    )


def _describe_model(model: Model, fit: Fit | None) -> str:
    if fit is None:
        return "none: no effect can be estimated from the runs so far"
    blocks = f", {len(set(fit.seeds))} seeds as blocks" if len(set(fit.seeds)) > 1 else ", one seed"
    if model.has_interactions:
        return f"main effects and two-factor interactions{blocks}"
    return f"main effects alone, which assumes that factors do not interact{blocks}"


def _describe_inference(fit: Fit | None, table: RunTable) -> str:
    """What the intervals generalise to, or why there are none."""
    if fit is None:
        return "no effect can be estimated yet"
    people = f"{len(table.clips)} test {'person' if len(table.clips) == 1 else 'people'}"
    seeds = len(set(table.seeds))
    resampled = f"the bootstrap resamples {people} and {seeds} seeds {RESAMPLES} times"
    if seeds == 1:
        resampled = f"the bootstrap resamples {people} {RESAMPLES} times and does not cover other seeds"
    elif seeds < 10:
        resampled += ", and is too narrow with so few seeds"
    if fit.no_interval_reason:
        return f"{fit.no_interval_reason}, so there is no interval for other seeds; {resampled}"
    unit = "runs of other seeds" if seeds > 1 else "other runs, if no three factors interact,"
    alone = " (one person: they do not cover other people)" if len(table.clips) == 1 else ""
    return (
        f"t intervals for {unit} and other people, {fit.degrees_of_freedom} residual degrees of freedom{alone}; "
        f"{resampled}{_unequal_noise_warning(table)}"
    )


def _unequal_noise_warning(table: RunTable) -> str:
    """The t intervals pool the noise of all arms, so that one far noisier arm makes them too narrow."""
    noise = noise_by_arm(table)
    for arm, own in noise.items():
        if own > _NOISY * np.sqrt(np.mean([value**2 for name, value in noise.items() if name != arm])):
            return f"; arm {arm} is over {_NOISY} times as noisy as the others, which makes the t intervals somewhat too narrow"
    return ""


def _not_estimable(model: Model, planned: Sequence[Row]) -> list[NotEstimable]:
    found = [NotEstimable(effect.name, reason) for effect, reason in model.not_estimable]
    if not planned:
        return found
    known = {word for effect in effects_of(planned, 2) for word in effect.words}
    constant = [word for word in words(list(planned[0]), 2) if word not in known]
    found += [NotEstimable(word_name(word), "it has the same level in all arms of this study") for word in constant]
    if not model.has_interactions:
        reason = "the runs so far cannot separate interactions from main effects"
        if not _model_of_plan(planned).has_interactions:
            reason = "this design cannot separate interactions from main effects; factorial and most fractions can"
        found += [NotEstimable(e.name, reason) for e in effects_of(planned, 2) if len(e.words[0]) == 2]
    return found


def _adjust_p_values(metrics: Mapping[str, MetricEffects], tests: int) -> dict[str, MetricEffects]:
    """The effects with Holm's p values over the declared family, in which effects without an estimate count as p = 1."""
    from statsmodels.stats.multitest import multipletests  # takes over a second, which refusing a bad flag need not wait for

    p = [effect.p for found in metrics.values() for effect in found.effects if effect.p is not None]
    if not p:
        return dict(metrics)
    adjusted = iter(multipletests([*p, *[1.0] * max(0, tests - len(p))], method="holm")[1])
    return {
        metric: replace(
            found,
            effects=tuple(e if e.p is None else replace(e, p_holm=float(next(adjusted))) for e in found.effects),
        )
        for metric, found in metrics.items()
    }

"""What each factor of a study does to each headline metric: effects and interactions with intervals, as plain values.

The unit of replication is the training run, seeds are blocks, clips are what runs are judged on. Nothing is ranked by its
best seed. Runs that are missing are listed, and how far they could move each effect is computed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from statsmodels.stats.multitest import multipletests

from facegan.metrics.table import HEADLINES, METRICS, display_name
from facegan.study.analysis.contrasts import noise_by_arm, one_at_a_time
from facegan.study.analysis.intervals import RESAMPLES, as_json, bootstrap, contrast_interval, detectable, percentile
from facegan.study.analysis.model import Effect, Fit, Floats, Model, choose_model, effects_of, fit
from facegan.study.analysis.runs import Run, Table, bounds, missing_as_json, tabulate
from facegan.study.design.two_level import Row, alias_table, resolution, word_name, words

_NOISY = 5
"""From one arm ten times as noisy on, 95 % intervals of three seeds cover in 90 % of simulated studies."""
_NO_PAIRS = {
    True: "this design cannot tell interactions from main effects; factorial and most fractions can",
    False: "the runs so far cannot tell interactions from main effects",
}


def analyse_study(runs: Mapping[str, Sequence[Run]], planned: Sequence[Row]) -> dict[str, Any]:
    """The analysis of all planned runs by headline metric; `planned` are the levels of the arms, one a planned arm."""
    headlines, replaced = choose_headlines(runs)
    metrics = {metric: analyse(metric, runs[metric], planned) for metric in headlines}
    family = [effect.name for effect in _plannable(planned).effects]
    _adjust(metrics, len(family))
    return {
        "factors": list(planned[0]) if planned else [],
        "resolution": resolution(planned),
        "aliases": alias_table(planned),
        "family": {
            "metrics": list(headlines),
            "effects": family,
            "tests": len(family) * len(headlines),
            "adjustment": "Holm, over each effect of each metric here; what cannot be estimated yet counts as p = 1",
        },
        "replaced": replaced,
        "metrics": metrics,
    }


def choose_headlines(runs: Mapping[str, Sequence[Run]]) -> tuple[tuple[str, ...], str]:
    """The metrics to analyse, and in words what was put in another's place: '' where nothing was.

    The landmark error is over found faces alone. A run in whose images no face is found on most clips has none, and without
    it the design falls apart, while the run failed at just what is asked. Its area under the cumulative error curve has a
    value on every clip, in which a face that is not found counts as a failure.
    """
    chosen, sentences = [], []
    for metric in HEADLINES:
        stand_in = METRICS[metric].stand_in
        without = tabulate(runs[metric]).unmeasured if stand_in else ()
        if not without or tabulate(runs[stand_in]).unmeasured or not any(run.clips for run in runs[stand_in]):
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


def analyse(metric: str, runs: Sequence[Run], planned: Sequence[Row]) -> dict[str, Any]:
    """The effects of all factors on one metric, from the runs that are there; the rest is listed."""
    table = tabulate(runs)
    model, fitted = fit_table(table, planned)
    factors = list(planned[0]) if planned else []
    return {
        "metric": metric,
        "better": METRICS[metric].better,
        "runs": len(table.runs),
        "planned": len(runs),
        "seeds": len(set(table.seeds)),
        "clips": len(table.clips),
        "clips_left_out": list(table.clips_left_out),
        "missing": missing_as_json(table),
        "model": _model_words(model, fitted),
        "sigma": fitted.sigma if fitted and fitted.free else None,
        "degrees_of_freedom": fitted.free if fitted else None,
        "noise_by_arm": noise_by_arm(table),
        "inference": _inference_words(fitted, table),
        "hc3": fitted.no_hc3 if fitted else "no effect can be estimated",
        "effects": _effects(fitted, table, direction(metric)) if fitted else [],
        "not_estimable": _not_estimable(model, planned),
        "leave_one_out": one_at_a_time(table, fitted, factors, 1),
        "added_alone": one_at_a_time(table, fitted, factors, -1),
    }


def fit_table(table: Table, planned: Sequence[Row]) -> tuple[Model, Fit | None]:
    """The model that the runs at hand allow, and its fit; None where they tell nothing yet."""
    model = choose_model(planned, table.rows, table.seeds)
    return model, fit(model, table.rows, table.seeds, table.values) if model.effects else None


def _plannable(planned: Sequence[Row]) -> Model:
    """The model that the whole plan allows: its effects are the declared family."""
    return choose_model(planned, planned, [0] * len(planned))


def _effects(fitted: Fit, table: Table, better: int) -> list[dict[str, Any]]:
    resampled, reach = bootstrap(fitted), bounds(fitted.model, table)
    return [
        _effect(fitted, j, effect, better, resampled[:, j], None if reach is None else reach[j])
        for j, effect in enumerate(fitted.model.effects)
    ]


def _effect(fitted: Fit, j: int, effect: Effect, better: int, resampled: Floats, reach: Floats | None) -> dict[str, Any]:
    estimate = float(fitted.estimates[j])
    interval = contrast_interval(fitted, np.eye(len(fitted.estimates))[j])
    hc3 = None if fitted.hc3 is None else [float(v) for v in fitted.hc3[j]]
    return {
        "name": effect.name,
        "order": len(effect.words[0]),
        "members": [list(word) for word in effect.words],
        "estimate": estimate,
        "helps": bool(estimate * better > 0),
        **as_json(interval),
        "p_holm": None,
        "hc3": hc3 and {"standard_error": hc3[0], "interval": hc3[1:3], "p": hc3[3]},
        "bootstrap": percentile(resampled),
        "detectable": detectable(fitted, j),
        "if_missing": None if reach is None else [float(v) for v in reach],
        "sign_survives": None if reach is None else bool(reach.min() > 0 or reach.max() < 0),
    }


def _model_words(model: Model, fitted: Fit | None) -> str:
    if fitted is None:
        return "none: no effect can be estimated from the runs so far"
    blocks = f", {len(set(fitted.seeds))} seeds as blocks" if len(set(fitted.seeds)) > 1 else ", one seed"
    if model.has_interactions:
        return f"main effects and two-factor interactions{blocks}"
    return f"main effects alone, which assumes that factors do not interact{blocks}"


def _inference_words(fitted: Fit | None, table: Table) -> str:
    """What the intervals speak of, or why there are none."""
    if fitted is None:
        return "no effect can be estimated yet"
    clips, seeds = f"{len(table.clips)} clip{'s' * (len(table.clips) != 1)}", len(set(table.seeds))
    resampled = f"the bootstrap draws {clips} and {seeds} seeds anew, {RESAMPLES} times"
    if seeds == 1:
        resampled = f"the bootstrap draws {clips} anew, {RESAMPLES} times, and says nothing of other seeds"
    elif seeds < 10:
        resampled += ", and is too narrow with so few seeds"
    if fitted.too_few:
        return f"{fitted.too_few}, so there is no interval for other seeds; {resampled}"
    unit = "runs of other seeds" if seeds > 1 else "other runs, if no three factors interact,"
    alone = " (one clip: nothing is said of other clips)" if len(table.clips) == 1 else ""
    return (
        f"t intervals for {unit} and other clips, {fitted.free} residual degrees of freedom{alone}; {resampled}{_uneven(table)}"
    )


def _uneven(table: Table) -> str:
    """A warning where one arm is far noisier than the others, whose noise the t intervals pool with it."""
    noise = noise_by_arm(table)
    for arm, own in noise.items():
        if own > _NOISY * np.sqrt(np.mean([value**2 for name, value in noise.items() if name != arm])):
            return f"; arm {arm} is over {_NOISY} times as noisy as the others, which makes the t intervals somewhat too narrow"
    return ""


def _not_estimable(model: Model, planned: Sequence[Row]) -> list[dict[str, str]]:
    lost = [{"name": effect.name, "reason": reason} for effect, reason in model.lost]
    if not planned:
        return lost
    known = {word for effect in effects_of(planned, 2) for word in effect.words}
    constant = [word for word in words(list(planned[0]), 2) if word not in known]
    lost += [{"name": word_name(word), "reason": "the arms of this study all have the same level of it"} for word in constant]
    if not model.has_interactions:
        is_by_design = not _plannable(planned).has_interactions
        pairs = [effect for effect in effects_of(planned, 2) if len(effect.words[0]) == 2]
        lost += [{"name": effect.name, "reason": _NO_PAIRS[is_by_design]} for effect in pairs]
    return lost


def _adjust(metrics: Mapping[str, dict[str, Any]], effects: int) -> None:
    """Holm's p over the declared family, whatever of it can be estimated yet."""
    tested = [effect for found in metrics.values() for effect in found["effects"] if effect["p"] is not None]
    if not tested:
        return
    untested = max(0, effects * len(metrics) - len(tested))
    adjusted = multipletests([*(effect["p"] for effect in tested), *[1.0] * untested], method="holm")[1]
    for effect, p in zip(tested, adjusted, strict=False):
        effect["p_holm"] = float(p)

"""The cost of a planned study as a page of text."""

from collections.abc import Sequence
from itertools import groupby

from facegan.report.formatting import counted, duration
from facegan.study.cost.estimate import ArmCost, ClusterCost, Estimate
from facegan.study.cost.prices import DATE, HEAD_USD_PER_HOUR, REGION, RESTART_SECONDS, S3_USD_PER_GB_MONTH
from facegan.study.cost.storage import StorageEstimate
from facegan.study.design.plan import Plan

_MOST_ARMS = 8
"""Rows of the table of arms; those of more arms are put together by their GFLOP."""
_MOST_ORDER = 100
"""Characters."""


def plan_page(
    plan: Plan,
    found: Estimate,
    power: Sequence[str],
    *,
    order_is_known: bool,
    notes: Sequence[str] = (),
    at_most: Estimate | None = None,
) -> list[str]:
    """A page for whoever pays; `power` are the lines of what it will find, `notes` what was not measured and why.

    Of a search `found` is what is expected, and `at_most` what it takes if no candidate is stopped early.
    """
    if not found.trials:
        done = "order    nothing left to train; the same command without --plan writes the report again"
        return [*_head(plan, found), done, *(["", *power] if power else [])]
    return [
        *_head(plan, found),
        *([_early_stopping(found, at_most)] if at_most and at_most.trials else []),
        *_order(found, order_is_known),
        "",
        *_arms(found),
        *_rates(found, notes),
        "",
        *_clusters(found, at_most),
        *_storage(found.storage),
        *(["", *power] if power else []),
    ]


def limit_line(limit: str, missing: int, trials: int, *, is_search: bool) -> str:
    """That a study ended at its limit, for the console. What comes after a search depends on what it has found."""
    if is_search:
        return f"limit    {limit} leaves no time for more: {missing} of {trials} candidates have not ended"
    return (
        f"limit    {limit} leaves no time for more: {missing} of {trials} trials are missing; "
        "the same command with a higher limit goes on"
    )


def _head(plan: Plan, found: Estimate) -> list[str]:
    seeds = sorted({trial.seed for trial in plan.trials})
    count = len(plan.trials)
    amount = plan.budget.amount([trial.config.images for trial in plan.trials]) if plan.budget.seconds is None else None
    each = amount or f"{plan.budget.seconds:g} s of training"
    warm = f", after {found.warm_ups} warm-ups of {plan.base.warm_up:,} images" if found.warm_ups else ""
    done = "" if found.trials == count else f"; {count - found.trials} have ended, the rest is priced" if found.trials else ""
    return [
        f"plan     {plan.design}, {plan.preset}: {counted(len(plan.arms), 'arm')} x {counted(len(seeds), 'seed')} "
        f"({' '.join(map(str, seeds))}), {counted(count, 'trial')} of {each}{warm}{done}",
        f"budget   {plan.budget.kind}: equal {plan.budget.equalised().split('. ')[0].split(': ')[0]}",
    ]


def _early_stopping(found: Estimate, at_most: Estimate) -> str:
    trained, whole = found.images or 0, at_most.images or 0
    share = f" ({trained / whole:.0%})" if whole else ""
    return (
        f"search   {trained:,} of {whole:,} images{share} are expected: the mean of its rule, replayed on candidates in random "
        "order"
    )


def total_line(expected: Sequence[Estimate], at_most: Sequence[Estimate]) -> str:
    """The cost of a search and its finalists on the present cluster: what is expected, and at most."""
    here = [found.clusters[0] for found in expected], [found.clusters[0] for found in at_most]
    images = [sum(found.images or 0 for found in each) for each in (expected, at_most)]
    hours = [[cost.wall_hours for cost in costs] for costs in here]
    usd = [[cost.usd for cost in costs] for costs in here]
    parts = [f"{images[0]:,} images (at most {images[1]:,})"]
    parts += [" (at most ".join(duration(3600 * sum(h or 0 for h in each)) for each in hours) + ")"] if _known(hours) else []
    parts += [" (at most ".join(f"${sum(u or 0 for u in each):.2f}" for each in usd) + ")"] if _known(usd) else []
    return f"total    search and finalists on {expected[0].clusters[0].cluster.name}: {', '.join(parts)}"


def _known(values: Sequence[Sequence[float | None]]) -> bool:
    return all(value is not None for each in values for value in each)


def _order(found: Estimate, is_known: bool) -> list[str]:
    if not is_known:
        return ["order    seed by seed, every prefix balanced; the draw within a seed needs the data set and VGG-19's weights"]
    seeds = [f"{seed}: {' '.join(arm for arm, _ in of_seed)}" for seed, of_seed in _by_seed(found.order)]
    text = "; ".join(seeds)
    return [
        f"order    seed {text}" if len(text) <= _MOST_ORDER else f"order    seed {text[:_MOST_ORDER].rsplit(' ', 1)[0]} ..."
    ]


def _by_seed(order: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    pairs = [(arm, seed) for arm, _, seed in (text.rpartition(" ") for text in order)]
    return [(seed, list(of_seed)) for seed, of_seed in groupby(pairs, key=lambda pair: pair[1])]


def _arms(found: Estimate) -> list[str]:
    rows = [["arm", "trials", "images", "GFLOP/image", "relative", "images/s", "hours"]]
    most = max((arm.gflop_per_image or 0 for arm in found.arms), default=0)
    for arm in _grouped(found.arms):
        rows.append(
            [
                arm.label,
                str(arm.trials),
                "-" if arm.images is None else f"{arm.images:,}",
                "-" if arm.gflop_per_image is None else f"{arm.gflop_per_image:.3g}",
                f"{arm.gflop_per_image / most:.2f}" if arm.gflop_per_image and most else "-",
                "-" if arm.images_per_second is None else f"{arm.images_per_second:.3g}",
                "-" if arm.hours is None else f"{arm.hours:.2f}",
            ]
        )
    return _table(rows)


def _grouped(arms: Sequence[ArmCost]) -> list[ArmCost]:
    """The arms, or where there are too many the cheapest, the others together, and the dearest."""
    if len(arms) <= _MOST_ARMS:
        return list(arms)
    ordered = sorted(arms, key=lambda arm: arm.gflop_per_image or 0)
    middle = ordered[1:-1]
    images = [arm.images for arm in middle]
    hours = [arm.hours for arm in middle]
    gflop = [arm.gflop_per_image for arm in middle]
    rates = [arm.images_per_second for arm in middle]
    together = ArmCost(
        "",
        f"{len(middle)} others (mean)",
        sum(arm.trials for arm in middle),
        None if None in images else sum(i for i in images if i),
        None if None in gflop else sum(g for g in gflop if g) / len(gflop),
        None if None in rates else len(rates) / sum(1 / r for r in rates if r),
        None if None in hours else sum(h for h in hours if h),
    )
    return [ordered[0], together, ordered[-1]]


def _rates(found: Estimate, notes: Sequence[str]) -> list[str]:
    if found.rates is None:
        work = sum(a.images * a.gflop_per_image for a in found.arms if a.images and a.gflop_per_image) / 1e6
        most = max((a.gflop_per_image or 0 for a in found.arms), default=0)
        lines = [f"hours    UNKNOWN, no speed was measured or given: {note}" for note in notes or ["--probe_seconds is 0"]]
        if most:
            hours = 1e6 * work / most / 3600
            lines += [
                f"         {work:,.1f} PFLOP of training: {hours:,.0f} hours of trials / R, R the images/s of the full loss;",
                "         --images_per_second R, --rates_from STUDY or --probe_seconds 30 give hours and dollars",
            ]
        return lines
    fixed = found.rates.fixed
    return [
        f"speed    {found.rates.source}",
        f"fixed    a trial {fixed.start:.1f} s, each checkpoint {fixed.checkpoint:.1f} s, scoring {fixed.scoring:.1f} s, "
        f"the study {fixed.study:.0f} s: {fixed.source}",
        f"hours    {found.trial_hours or 0:.2f} of trials one after the other, with their fixed part",
        *[f"note     {note}" for note in notes],
    ]


def _clusters(found: Estimate, at_most: Estimate | None) -> list[str]:
    rows = [["on", "trials at once", "wall", "$/hour", "dollars", "of them interruptions"]]
    rows += [_cluster_row(each) for each in found.clusters]
    if at_most:
        ends = [["wall at most", "dollars at most"], *([_wall(each), _usd(each)] for each in at_most.clusters)]
        rows = [[*row, *end] for row, end in zip(rows, ends, strict=True)]
    return [
        *_table(rows),
        f"prices   list prices of {REGION}, {DATE}, from memory: CHECK THEM; with the head (${HEAD_USD_PER_HOUR:.2f} an hour)",
        f"         ASSUMED for spot: 45 % of on demand; {found.interruptions_per_hour:g} interruptions an hour, each half a "
        f"checkpoint's interval and {RESTART_SECONDS / 60:.0f} minutes",
    ]


def _cluster_row(each: ClusterCost) -> list[str]:
    cluster = each.cluster
    device = "" if cluster.device == "cpu" or not cluster.device else f" ({cluster.device})"
    return [
        cluster.name + device,
        str(cluster.at_once),
        _wall(each),
        "-" if cluster.usd_per_hour is None else f"{cluster.usd_per_hour:.2f}",
        _usd(each),
        "-" if not each.usd_of_interruptions else f"{each.usd_of_interruptions:.2f}",
    ]


def _wall(each: ClusterCost) -> str:
    return "unknown" if each.wall_hours is None else duration(3600 * each.wall_hours)


def _usd(each: ClusterCost) -> str:
    return "-" if each.usd is None else f"{each.usd:.2f}"


def _storage(found: StorageEstimate) -> list[str]:
    month = found.peak_bytes / 1e9 * S3_USD_PER_GB_MONTH
    return [
        f"storage  {_size(found.peak_bytes)} at most: a checkpoint a trial ({_size(found.checkpoint_bytes)}), samples "
        f"{_size(found.samples_bytes)}, rows and scores {_size(found.rows_bytes)}; on S3 ${month:.2f} a month"
    ]


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]

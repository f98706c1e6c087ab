"""What a change does to each metric and to the cost, as lines of text."""

from facegan.metrics.table import display_name, formatted
from facegan.report.formatting import p_text
from facegan.study.conclusions.change import ChangeConclusion, ChangeOnMetric
from facegan.study.conclusions.change_cost import ChangeCost


def change_lines(found: ChangeConclusion) -> list[str]:
    """The change, a row for each metric, the cost and the conclusion."""
    width = max(len(display_name(row.metric)) for row in found.metrics)
    head = f"  {'':<{width}}{'base':>9}{'changed':>9}{'effect':>11}{'95 % interval':>24}{'margin':>8}{'p (Holm)':>10}  verdict"
    rows = [f"  {display_name(row.metric):<{width}}{_numbers(row)}  {row.verdict}" for row in found.metrics]
    changed = [f"  {name} {before} -> {after}" for name, (before, after) in found.changes.items()]
    return [*changed, head, *rows, *(f"  {line}" for line in cost_lines(found.cost)), f"  {found.sentence}"]


def _numbers(row: ChangeOnMetric) -> str:
    base, changed = (formatted(row.metric, value) for value in (row.base, row.changed))
    effect = "-" if row.effect is None else f"{row.effect:+.3g}"
    interval = "-" if row.interval is None else f"{row.interval[0]:+.3g} to {row.interval[1]:+.3g}"
    p = "-" if row.p is None else p_text(row.p)
    return f"{base:>9}{changed:>9}  {effect:>9}  {interval:>22}{row.margin:>8g}{p:>10}"


def cost_lines(cost: ChangeCost) -> list[str]:
    """The operations of both arms and their ratio, and the same of their training time, as far as it can be compared."""
    base, changed = cost.base, cost.changed
    operations = (
        f"operations: {base.gflop_per_image:.3g} -> {changed.gflop_per_image:.3g} GFLOP an image, {cost.operations:.2f} times, "
        "counted, wherever the arms were trained"
    )
    if cost.ratio is None or cost.ratio_range is None or not base.seconds_per_image or not changed.seconds_per_image:
        return [operations, "training time: not compared, because no seed has both runs trained beside each other"]
    seeds = f"seed{'s' * (len(cost.beside) > 1)} {' '.join(map(str, cost.beside))}"
    return [
        operations,
        f"training time: {base.seconds_per_image:.3g} -> {changed.seconds_per_image:.3g} s an image, {cost.ratio:.2f} times "
        f"({cost.ratio_range[0]:.2f} to {cost.ratio_range[1]:.2f}), of {seeds}, whose runs were trained beside each other",
    ]

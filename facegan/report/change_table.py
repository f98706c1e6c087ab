"""What a change does to each metric and to the cost, as lines of text."""

from facegan.metrics.table import display_name, formatted
from facegan.report.formatting import p_text
from facegan.study.conclusions.change import ChangeConclusion, ChangeCost, ChangeOnMetric


def change_lines(found: ChangeConclusion) -> list[str]:
    """The change, a row for each metric, the cost and the conclusion."""
    width = max(len(display_name(row.metric)) for row in found.metrics)
    head = f"  {'':<{width}}{'base':>9}{'changed':>9}{'effect':>11}{'95 % interval':>24}{'margin':>8}{'p (Holm)':>10}  verdict"
    rows = [f"  {display_name(row.metric):<{width}}{_numbers(row)}  {row.verdict}" for row in found.metrics]
    changed = [f"  {name} {before} -> {after}" for name, (before, after) in found.changes.items()]
    return [*changed, head, *rows, f"  {cost_line(found.cost)}", f"  {found.sentence}"]


def _numbers(row: ChangeOnMetric) -> str:
    base, changed = (formatted(row.metric, value) for value in (row.base, row.changed))
    effect = "-" if row.effect is None else f"{row.effect:+.3g}"
    interval = "-" if row.interval is None else f"{row.interval[0]:+.3g} to {row.interval[1]:+.3g}"
    p = "-" if row.p is None else p_text(row.p)
    return f"{base:>9}{changed:>9}  {effect:>9}  {interval:>22}{row.margin:>8g}{p:>10}"


def cost_line(cost: ChangeCost) -> str:
    """Seconds of training per image of both arms, and their ratio."""
    sides = [f"{arm.seconds_per_image:.3g}" if arm.seconds_per_image else "-" for arm in (cost.base, cost.changed)]
    ratio = ""
    if cost.ratio is not None and cost.ratio_range is not None:
        ratio = f", {cost.ratio:.2f} times ({cost.ratio_range[0]:.2f} to {cost.ratio_range[1]:.2f} by seed)"
    return f"seconds of training per image {sides[0]} -> {sides[1]}{ratio}"

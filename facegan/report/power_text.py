"""The power of a planned study as text for the console."""

from facegan.metrics.table import display_name
from facegan.study.analysis.power import PlannedPower
from facegan.study.conclusions.planned_power import DesignPower


def power_table(found: DesignPower) -> list[str]:
    """By metric and number of seeds: the smallest effect found in 80 % of studies, the chance of the smallest of interest."""
    width = max((len(display_name(power.metric)) for power in found.metrics), default=0)
    head = "".join(f"{f'{count} seeds':>14}" for count in found.seeds)
    lines = [
        f"noise    {found.source}",
        "power    smallest effect found in 80 % of studies, and the chance of finding the smallest effect of interest;",
        f"         {found.people} test people, Holm over {found.tests} tests:",
        f"  {'':<{width}}{head}  of interest  seeds needed",
    ]
    for power in found.metrics:
        sizes = "".join(_cell(power, count) for count in found.seeds)
        interest = f"{power.smallest_of_interest:>11.3g}" if power.smallest_of_interest else f"{'-':>11}"
        needed = f"{power.seeds_needed}" if power.seeds_needed else "more than 100"
        lines.append(f"  {display_name(power.metric):<{width}}{sizes}  {interest}  {needed:>12}")
    return lines


def _cell(power: PlannedPower, seeds: int) -> str:
    chance = f"{power.probability[seeds]:.0%}" if power.probability else "-"
    return f"{power.detectable[seeds]:>9.3g} {chance:>4}"

"""The power of a planned study as text for the console."""

from facegan.metrics.table import display_name
from facegan.study.conclusions.planned_power import DesignPower


def power_table(found: DesignPower) -> list[str]:
    """The smallest effects that are found in 80 % of studies, by metric and number of seeds, and the seeds that are needed."""
    width = max((len(display_name(power.metric)) for power in found.metrics), default=0)
    head = "".join(f"{f'{count} seeds':>10}" for count in found.seeds)
    lines = [
        f"noise    {found.source}",
        f"power    smallest effect found in 80 % of studies, {found.people} test people, Holm over {found.tests} tests:",
        f"  {'':<{width}}{head}  of interest  seeds needed",
    ]
    for power in found.metrics:
        sizes = "".join(f"{power.detectable[count]:>10.3g}" for count in found.seeds)
        interest = f"{power.smallest_of_interest:>11.3g}" if power.smallest_of_interest else f"{'-':>11}"
        needed = f"{power.seeds_needed}" if power.seeds_needed else "more than 100"
        lines.append(f"  {display_name(power.metric):<{width}}{sizes}  {interest}  {needed:>12}")
    return lines

"""What a search found, as lines of text for the console."""

from facegan.errors import printable
from facegan.report.formatting import duration
from facegan.study.design.search_space import Values
from facegan.study.search.results import LOW_CORRELATION, ArmSearch, CandidateResult, RungResult, SearchResult

_GOES_ON = ("PENDING", "RUNNING", "PAUSED")
_SHOWN = 12
"""Candidates of an arm on the console, or all that trained to the end if these are more."""


def search_lines(result: SearchResult) -> list[str]:
    """The cost of the search, then each arm's candidates, best first, and its rungs."""
    lines = [f"search   {candidates_sentence(result)}", *(f"         {text}" for text in search_notes(result))]
    return [*lines, *(line for arm in result.arms for line in _arm_lines(arm))]


def markdown_search(result: SearchResult) -> str:
    """The cost of the search, its rungs and the finalists of each arm, as a list in Markdown."""
    lines = [candidates_sentence(result), *search_notes(result)]
    for arm in result.arms:
        lines.append(f"**{arm.label}**: {_arm_sentence(arm)}")
        lines += [
            f"{arm.label}, finalist {candidate.number}: {values_text(candidate.values)}; score {candidate.last.score:.3f}"
            for candidate in begun_candidates(arm)
            if candidate.is_finalist and candidate.last
        ]
        lines += [f"{arm.label}, rung {rung_sentence(rung)}" for rung in arm.rungs]
    return "\n".join(f"- {line}" for line in lines)


def search_notes(result: SearchResult) -> list[str]:
    """What the search took beside what was expected, what a limit left out, and arms with too few finalists."""
    return [*_spent(result), *_left_out(result), *_missing_finalists(result)]


def _spent(result: SearchResult) -> list[str]:
    spent, expected = result.spent, result.spent.forecast
    if not spent.seconds:
        return []
    text = f"The search took {duration(spent.seconds)}{_dollars(spent.usd)}"
    if expected is None or not expected.seconds:
        return [f"{text}."]
    images = "" if expected.images is None else f"{expected.images:,.0f} images, "
    text += f"; expected before: {images}{duration(expected.seconds)}{_dollars(expected.usd)}, {printable(expected.source)}"
    return [f"{text}." if spent.limit else f"{text}; actual over expected {spent.seconds / expected.seconds:.2f}."]


def _left_out(result: SearchResult) -> list[str]:
    if not result.spent.limit:
        return []
    states = [candidate.state for arm in result.arms for candidate in arm.candidates]
    begun, left = len(states) - states.count("PENDING"), states.count("PAUSED") + states.count("RUNNING")
    text = (
        f"It ended at its limit, {printable(result.spent.limit)}: {begun} of {result.settings.candidates * len(result.arms)} "
        f"candidates were begun, and {left} of them left before their end."
    )
    if not any(candidate.is_finalist for arm in result.arms for candidate in arm.candidates):
        return [f"{text} The same command with a higher limit goes on."]
    return [
        f"{text} The same command does not search on, because others could win than those that were trained again; another "
        "--study does."
    ]


def _missing_finalists(result: SearchResult) -> list[str]:
    """Nothing while the search goes on."""
    if not result.spent.limit and any(candidate.state in _GOES_ON for arm in result.arms for candidate in arm.candidates):
        return []
    found = {arm.label: sum(candidate.is_finalist for candidate in arm.candidates) for arm in result.arms}
    few = [f"{label} {count}" for label, count in found.items() if count < result.settings.finalists]
    asked = f"{result.settings.finalists} finalist{'s' * (result.settings.finalists > 1)} of each arm"
    return [f"Of {asked} there are fewer, because no more candidates trained to the end: {', '.join(few)}."] if few else []


def _dollars(usd: float | None) -> str:
    return "" if usd is None else f", ${usd:.2f}"


def candidates_sentence(result: SearchResult) -> str:
    """How many candidates each arm had, and what early stopping saved."""
    counts = {len(arm.candidates) for arm in result.arms}
    each = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    stopped = sum(candidate.state == "STOPPED" for arm in result.arms for candidate in arm.candidates)
    share = result.images / result.planned_images
    return (
        f"{each} candidates for each of {len(result.arms)} arm{'s' * (len(result.arms) > 1)}, sampler "
        f"{result.settings.sampler}: {result.images:,} of {result.planned_images:,} images trained ({share:.0%}), "
        f"{stopped} candidates stopped early, {duration(result.seconds)} of training"
    )


def values_text(values: Values) -> str:
    """'pixel 12.3, optim.average 0.99': weights by their terms; 'as configured' for none."""
    named = ((name.removeprefix("loss."), value) for name, value in values.items())
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in named) or (
        "as configured"
    )


def rung_sentence(rung: RungResult) -> str:
    """How many candidates a rung kept, and how well its order foretold the next one."""
    text = f"{rung.images:,} images: {rung.went_on} of {rung.judged} went on"
    if rung.rank_correlation is None:
        return f"{text}; too few of them to say whether the order stayed"
    text += f"; rank correlation with their next scores {rung.rank_correlation:+.2f} ({rung.pairs} candidates)"
    return f"{text}: LOW, stopping here was little better than by lot" if rung.rank_correlation < LOW_CORRELATION else text


def begun_candidates(arm: ArmSearch) -> list[CandidateResult]:
    """Candidates that trained to the end by their scores, then the others by images and score; unmeasured ones last."""
    return sorted(
        (candidate for candidate in arm.candidates if candidate.state != "PENDING"),
        key=lambda c: (
            c.state != "COMPLETED",
            -c.images,
            not c.last.follows if c.last else True,
            c.last.score if c.last else 0.0,
        ),
    )


def _arm_sentence(arm: ArmSearch) -> str:
    whole = sum(candidate.state == "COMPLETED" for candidate in arm.candidates)
    front = sum(candidate.is_on_front for candidate in arm.candidates)
    return (
        f"{whole} of {len(arm.candidates)} candidates trained to the end, {front} of them on the front "
        f"(hypervolume {arm.hypervolume:.3f})"
    )


def _arm_lines(arm: ArmSearch) -> list[str]:
    lines = [
        f"\n{arm.label}: {_arm_sentence(arm)}. Distances on validation people, less is better:",
        "  score  following  identity  image   images  candidate",
    ]
    begun = begun_candidates(arm)
    whole = sum(candidate.state == "COMPLETED" for candidate in begun)
    shown = begun[: max(whole, _SHOWN)]
    for candidate in shown:
        found = candidate.last
        marks = ["finalist"] if candidate.is_finalist else ["on the front"] if candidate.is_on_front else []
        marks += [candidate.state] if candidate.state != "COMPLETED" else []
        marks += ["does not follow"] if found and not found.follows else []
        note = f"  ({', '.join(marks)})" if marks else ""
        numbers = " " * 36
        if found:
            following, identity, image = found.distances
            numbers = f"{found.score:7.3f}  {following:9.3f}  {identity:8.3f}  {image:5.3f}"
        lines.append(f"{numbers}  {candidate.images:7}  {candidate.number:<3} {values_text(candidate.values)}{note}")
    if len(begun) > len(shown):
        lines.append(
            f"  not shown: {len(begun) - len(shown)} with fewer images or worse scores (see jobs/status.py --json True)"
        )
    if len(arm.candidates) > len(begun):
        lines.append(f"  not begun: {len(arm.candidates) - len(begun)} of {len(arm.candidates)}")
    return [*lines, *(f"  rung {rung_sentence(rung)}" for rung in arm.rungs)]

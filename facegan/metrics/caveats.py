"""What limits claims that rest on an arm, read off its metric card: it copies, shows no face, or fails a probe of cheating."""

from dataclasses import dataclass
from typing import Literal

from facegan.metrics.card import Card
from facegan.metrics.table import PROBES

MIN_FACES_FOUND = 0.75
"""Share of images with a face below which an arm shows no face: its other scores are of the better images only."""
MAX_COPY_FOLLOWING = 0.25
"""Target following below which an arm that stays the person is a copy of the source."""
MIN_COPY_IDENTITY = 0.5
"""Identity kept above which an arm stays the person."""
MAX_CONSISTENCY_RATIO = 2.0
"""From this ratio on, the way back works mainly on the network's own images."""
MAX_AFTER_CHANGE = 1.5
"""From this ratio on, the way back depends on what an invisible change of the image destroys."""

_CHANGES = {"after_noise": "faint noise", "after_jpeg": "JPEG", "after_rounding": "rounding to 8 bits"}


@dataclass(frozen=True, slots=True)
class Caveat:
    """A reason why claims that rest on an arm are limited."""

    kind: Literal["no face", "copy", "probe"]
    """no face: its scores are of the better images only; copy: its identity is not that of a generated face; probe: its way
    back to the source works by what it hides in its image."""
    reason: str
    """A clause that follows the arm's name, with its number."""
    shared: str = ""
    """Of a probe: the same clause of several arms, {} in place of their numbers."""
    number: str = ""
    """Of a probe."""


def caveats_of(card: Card) -> tuple[Caveat, ...]:
    """The caveats of an arm's metric card, the gravest first; a metric that was not measured gives none."""
    means = {name: found.mean for name, found in card.items() if found.mean is not None}
    found = []
    faces = means.get("faces_found")
    if faces is not None and faces < MIN_FACES_FOUND:
        found.append(Caveat("no face", f"shows a face in only {100 * faces:.0f} % of its images"))
    following, identity = means.get("target_following"), means.get("identity_kept")
    if following is not None and identity is not None and following < MAX_COPY_FOLLOWING and identity > MIN_COPY_IDENTITY:
        found.append(Caveat("copy", f"copies the source (target following {following:.2f}, identity kept {identity:.2f})"))
    return (*found, *_failed_probes(means))


def _failed_probes(means: dict[str, float]) -> list[Caveat]:
    found = []
    ratio = means.get(PROBES[0])
    if ratio is not None and ratio >= MAX_CONSISTENCY_RATIO:
        found.append(_probe("worse from the real target than from {} own image{}", ratio))
    for probe, change in _CHANGES.items():
        ratio = means.get(probe)
        if ratio is not None and ratio >= MAX_AFTER_CHANGE:
            found.append(_probe(f"worse after {change}", ratio))
    return found


def _probe(how: str, ratio: float) -> Caveat:
    return Caveat(
        "probe",
        f"has a way back to the source {ratio:.1f} times {how.format('its', '')}",
        f"have a way back to the source {{}} times {how.format('their', 's')}",
        f"{ratio:.1f}",
    )

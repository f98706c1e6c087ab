"""Hair of a synthetic person: behind the face, along the hairline, and in front of the ears."""

import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.canvas import Canvas, curve, ring
from facegan.synthetic.face import Head, moved
from facegan.synthetic.person import Look

Array = NDArray[np.float64]

SKULL_CENTRE = (0.0, -44.0, -14.0)
SKULL_RADII = (74.0, 80.0, 94.0)
# Size of the hair relative to the skull.
VOLUME = {
    "bald": 1.0, "buzz": 1.03, "short": 1.1, "fringe": 1.12, "parting": 1.12,
    "long": 1.14, "bob": 1.16, "bun": 1.05, "afro": 1.42, "receding": 1.07,
}  # fmt: skip
# Heights of the hairline in mm, from the right temple over the middle to the left temple.
HAIRLINE = {
    "buzz": (-52, -78, -92, -94, -92, -78, -52),
    "short": (-48, -78, -88, -86, -88, -78, -48),
    "fringe": (-45, -66, -70, -72, -70, -66, -45),
    "parting": (-44, -68, -76, -84, -95, -88, -50),
    "long": (-45, -70, -88, -98, -88, -70, -45),
    "bob": (-40, -64, -67, -68, -67, -64, -40),
    "bun": (-52, -80, -95, -100, -95, -80, -52),
    "afro": (-45, -76, -88, -90, -88, -76, -45),
    "receding": (-50, -92, -112, -100, -112, -92, -50),
    "bald": (-50, -95, -114, -118, -114, -95, -50),
}
HANGS_TO = {"long": 125.0, "bob": 48.0}
"""How far down long hair reaches, mm."""


def hairline(head: Head, look: Look, forehead: float) -> Array:
    """The upper edge of the face [n, 2] in the image, from left to right."""
    heights = np.array(HAIRLINE[look.hair_style], float)
    heights = -45 + (heights + 45) * forehead
    across = np.linspace(-0.97, 0.97, 7)
    if look.side < 0:
        heights = heights[::-1]
    line = curve(np.column_stack([across, heights]), 5)
    return head.project(head.surface(line[:, 0], line[:, 1]))


def paint_hair_behind(canvas: Canvas, head: Head, look: Look) -> None:
    """Paint the hair that the face, the neck and the clothes cover."""
    hangs = HANGS_TO.get(look.hair_style)
    if hangs is not None:
        canvas.paint(_curtain(head, look, hangs), look.hair, strands=255)
    if look.hair_style == "bun":
        knot = head.project(moved(np.array(SKULL_CENTRE), 0, -1.2 * SKULL_RADII[1], -30))
        reach = 30 * head.scale
        canvas.paint(ring(knot, np.array([reach, 0]), np.array([0, reach])), look.hair, strands=255)


def paint_skull(canvas: Canvas, head: Head, look: Look) -> None:
    """Paint the back of the head: hair, or the skin of bald people."""
    bald = look.hair_style == "bald"
    colour = look.skin if bald else look.hair
    canvas.paint(_skull(head, VOLUME[look.hair_style]), colour, strands=0 if bald else 255)


def paint_hair_in_front(canvas: Canvas, head: Head, look: Look) -> None:
    """Paint long hair in front of the ears."""
    if look.hair_style not in HANGS_TO:
        return
    drop = HANGS_TO[look.hair_style]
    for side in (-1.0, 1.0):
        edge = abs(head.points[0, 0])
        rows = np.array([-100, -60, -20, 20, min(drop, 55.0)])
        inner = np.column_stack(
            [
                side * np.array([0.55, 0.9, 1.0, 1.02, 1.0]) * edge,
                rows,
                np.array([48, 30, 8, 2, -6]),
            ]
        )
        outer = np.column_stack(
            [
                side * np.array([0.6, 1.05, 1.2, 1.22, 1.1]) * edge,
                rows,
                np.array([10, -4, -12, -16, -20]),
            ]
        )
        lock = np.concatenate([curve(head.project(inner)), curve(head.project(outer[::-1]))])
        canvas.paint(lock, look.hair, strands=255)


def _skull(head: Head, volume: float) -> Array:
    """[48, 2]: the outline of the head, an ellipsoid, whose weak perspective projection is an ellipse."""
    turned = head.rotation * SKULL_RADII * (volume * head.points[16, 0] / 72, volume, volume)
    spread, axes = np.linalg.eigh((turned @ turned.T)[:2, :2])
    half = axes * np.sqrt(spread) * head.scale
    return ring(
        head.project(moved(np.array(SKULL_CENTRE), 0, -80 * (volume - 1), 0)),
        half[:, 0],
        half[:, 1],
        steps=48,
    )


def _curtain(head: Head, look: Look, drop: float) -> Array:
    reach = SKULL_RADII[0] * VOLUME[look.hair_style] * head.points[16, 0] / 72
    left = [
        (-0.98 * reach, -50, -10),
        (-1.1 * reach, 0, -15),
        (-1.12 * reach, drop * 0.6, -18),
        (-0.9 * reach, drop, -20),
    ]
    right = [(-across, down, forward) for across, down, forward in reversed(left)]
    return curve(head.project(np.array([*left, *right], float)))

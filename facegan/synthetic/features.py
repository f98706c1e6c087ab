"""The features of a synthetic face, each drawn from the landmarks that are written to its .pts file."""

import numpy as np

from facegan.synthetic.canvas import Array, Canvas, curve, ring
from facegan.synthetic.face import Head, moved
from facegan.synthetic.person import Colour, Look, shade

DARK: Colour = (22, 18, 30)
WHITE: Colour = (226, 230, 234)
TEETH: Colour = (205, 222, 228)
TONGUE: Colour = (80, 70, 160)


def paint_eye(canvas: Canvas, head: Head, look: Look, landmarks: Array, first: int) -> None:
    """Paint the eye whose six landmarks start at `first`: socket, eyeball, iris and lids."""
    unit, skin_line = head.scale, shade(look.skin, 0.5)
    upper = curve(landmarks[first : first + 4])
    lower = curve(landmarks[[first + 3, first + 4, first + 5, first]])
    opening = np.concatenate([upper, lower])
    hollow = disc(landmarks[first : first + 6].mean(axis=0) - (0, 5 * unit), 15 * unit, 8 * unit)
    canvas.paint(hollow, shade(look.skin, 0.6), alpha=0.35, soft=3.5 * unit)
    canvas.paint(opening, WHITE)
    _paint_iris(canvas, head, look, opening, first)
    canvas.paint(upper, DARK, alpha=0.22, width=3.5 * unit, within=opening)
    canvas.paint(upper, DARK, alpha=0.85, width=look.lashes * 1.5 * unit)
    canvas.paint(lower, skin_line, alpha=0.6, width=1.2 * unit)
    crease = curve(landmarks[first : first + 4] - np.array([[0, 3], [0, 5], [0, 5], [0, 3]]) * unit)
    canvas.paint(crease, skin_line, alpha=0.5, width=1.3 * unit)
    bag = curve(landmarks[[first + 3, first + 4, first + 5, first]] + (0, 6 * unit))
    canvas.paint(bag, skin_line, alpha=0.1 + 0.35 * look.age, width=1.5 * unit, soft=unit)


def _paint_iris(canvas: Canvas, head: Head, look: Look, opening: Array, first: int) -> None:
    gaze = np.array([6.0 * head.moment.gaze_right, 2.5 * head.moment.gaze_down - 1, 3])
    iris = head.project(head.points[[first, first + 3]].mean(axis=0) + gaze)
    across, down = head.rotation[:2, 0] * head.scale, head.rotation[:2, 1] * head.scale
    for radius, colour in ((6.5, shade(look.iris, 0.5)), (5.5, look.iris), (2.8, DARK)):
        canvas.paint(ring(iris, across * radius, down * radius), colour, within=opening)
    canvas.paint(disc(iris - 2 * head.scale, 1.4 * head.scale), (250, 250, 250), within=opening)


def paint_brow(canvas: Canvas, head: Head, look: Look, landmarks: Array, first: int) -> None:
    """Paint the brow whose five landmarks start at `first`, as a tapered band around them."""
    points = landmarks[first : first + 5]
    taper = np.array([0.35, 0.9, 1.0, 1.05, 0.85])[:: 1 if first == 17 else -1]
    half = head.rotation[:2, 1] * (taper * look.brow_thickness * head.scale)[:, None]
    band = np.concatenate([curve(points - half), curve((points + half)[::-1])])
    canvas.paint(band, look.brows, alpha=0.92, soft=0.5 * head.scale, strands=110)


def paint_nose(canvas: Canvas, head: Head, look: Look, landmarks: Array) -> None:
    """Paint the wings, the nostrils and the lower edge of the nose; its ridge shows by the light."""
    line, unit = shade(look.skin, 0.5), head.scale
    for near, low, side in ((31, 32, -1.0), (35, 34, 1.0)):
        wing, base = head.points[near], head.points[low]
        edge = np.stack([moved(wing, side, -10, -2), moved(wing, side * 4.5, -4, -3), wing, base])
        canvas.paint(curve(head.project(edge)), line, alpha=0.5, width=1.6 * unit, soft=0.8 * unit)
        middle = moved((wing + base) / 2, 0, -1, 0)
        hole = ring(middle, np.array([3.6, 0.8 * side, 0]), np.array([0, 1.9, 1]))
        canvas.paint(head.project(hole), shade(look.skin, 0.25), alpha=0.85, soft=0.4 * unit)
    canvas.paint(curve(landmarks[31:36]), line, alpha=0.5, width=1.6 * unit, soft=0.7 * unit)


def paint_mouth(canvas: Canvas, head: Head, look: Look, landmarks: Array) -> None:
    """Paint both lips and, between the inner landmarks, the dark inside of the mouth with tongue and teeth."""
    unit = head.scale
    top, bottom = curve(landmarks[48:55]), curve(landmarks[[54, 55, 56, 57, 58, 59, 48]])
    inner_top, inner_bottom = curve(landmarks[60:65]), curve(landmarks[[64, 65, 66, 67, 60]])
    canvas.paint(np.concatenate([top, bottom]), look.lips)
    canvas.paint(np.concatenate([top, inner_top[::-1]]), shade(look.lips, 0.85))
    shine = curve(landmarks[[58, 57, 56]] * 0.6 + landmarks[[67, 66, 65]] * 0.4)
    canvas.paint(shine, shade(look.lips, 1.45), alpha=0.45, width=1.6 * unit, soft=1.2 * unit)
    opening = np.concatenate([inner_top, inner_bottom])
    canvas.paint(opening, DARK)
    across, down = head.rotation[:2, 0] * unit, head.rotation[:2, 1] * unit
    canvas.paint(ring(landmarks[66], 13 * across, 8 * down), TONGUE, within=opening, soft=unit)
    canvas.paint(ring(landmarks[62], 15 * across, 5.5 * down, 3.0), TEETH, within=opening)
    canvas.paint(inner_top, shade(look.lips, 0.4), alpha=0.8, width=1.3 * unit)


def paint_glasses(canvas: Canvas, head: Head, look: Look) -> None:
    """Paint glasses, if the person wears them: two rims, a bridge, and the temple on the near side."""
    if look.glasses == 0:
        return
    width = look.glasses * 1.4 * head.scale
    right, left = head.points[36:42].mean(axis=0), head.points[42:48].mean(axis=0)
    for side, eye in ((-1.0, right), (1.0, left)):
        across, down = np.array([22.0, 0, -4 * side]), np.array([0.0, 16, 0])
        rim = ring(moved(eye, side, 2, 14), across, down, look.glasses_shape, 40)
        closed = head.project(np.concatenate([rim, rim[:1]]))
        canvas.paint(closed, (235, 235, 235), alpha=0.08)
        canvas.paint(closed, look.frame, width=width)
        if side * head.rotation[0, 2] <= 0.2:
            ear = np.array([side * abs(head.points[0, 0]) * 1.02, -32, -2])
            canvas.paint(head.project(np.stack([moved(eye, side * 23, -2, 10), ear])), look.frame, width=width)
    arch = np.stack([moved(right, 21, -1, 18), moved((right + left) / 2, 0, -5, 22), moved(left, -21, -1, 18)])
    canvas.paint(curve(head.project(arch)), look.frame, width=width)


def disc(centre: Array, wide: float, high: float | None = None) -> Array:
    """An ellipse [24, 2] in the image with half axes `wide` and `high` in pixels; without `high` a circle."""
    return ring(centre, np.array([wide, 0.0]), np.array([0.0, wide if high is None else high]))

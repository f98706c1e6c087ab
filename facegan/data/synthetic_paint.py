"""Painting one frame of a synthetic person, every feature from the very landmarks that are written beside it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.synthetic_canvas import OVERSAMPLING, Canvas, coverage, curve, ring
from facegan.data.synthetic_face import Head
from facegan.data.synthetic_hair import hairline, paint_hair_before, paint_hair_behind, paint_skull
from facegan.data.synthetic_light import light_elsewhere, light_face
from facegan.data.synthetic_person import Colour, Look, Person

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

DARK: Colour = (22, 18, 30)
TEETH: Colour = (205, 222, 228)
TONGUE: Colour = (80, 70, 160)


def paint_person(head: Head, person: Person, background: Pixels, strands: Plane) -> Plane:
    """The lit frame, before the camera; `background` is oversampled, `strands` is hair texture about 0."""
    look, landmarks = person.look, head.landmarks()
    canvas = Canvas(background)
    outline = np.concatenate([curve(landmarks[:17]), hairline(head, look, person.build.forehead)[::-1]])
    paint_hair_behind(canvas, head, look)
    _paint_body(canvas, head, look)
    paint_skull(canvas, head, look)
    _paint_ears(canvas, head, look, person.build.ear)
    canvas.paint(outline, look.skin)
    _paint_skin_detail(canvas, head, look, landmarks)
    _paint_beard(canvas, head, look, landmarks, outline)
    for corner, brow in ((36, 17), (42, 22)):
        _paint_eye(canvas, head, look, landmarks, corner)
        _paint_brow(canvas, head, look, landmarks[brow : brow + 5], inner_first=brow == 22)
    _paint_nose(canvas, head, look, landmarks)
    _paint_mouth(canvas, head, look, landmarks)
    paint_hair_before(canvas, head, look)
    _paint_glasses(canvas, head, look)
    return _light(canvas, head, outline, strands)


def _light(canvas: Canvas, head: Head, outline: Array, strands: Plane) -> Plane:
    picture, hair = canvas.finish()
    shape = (picture.shape[0], picture.shape[1])
    face = cv2.resize(coverage(outline, canvas.pixels.shape[:2]), shape[::-1], interpolation=cv2.INTER_AREA)
    share = face.astype(np.float32) / 255
    light = share * light_face(head, shape) + (1 - share) * light_elsewhere(head, shape)
    light *= 1 + hair * _follow(strands, head, shape)
    return picture * light[..., None]


def _follow(strands: Plane, head: Head, shape: tuple[int, int]) -> Plane:
    """The hair texture, turned and moved with the head."""
    turn = head.rotation[:2, :2] * head.scale
    angle = np.arctan2(turn[1, 0], turn[0, 0])
    matrix = cv2.getRotationMatrix2D((shape[1] / 2, shape[0] / 2), -float(np.rad2deg(angle)), 1.0)
    matrix[:, 2] += head.centre - (shape[1] / 2, shape[0] / 2)
    matrix[:, 2] += head.rotation[:2, 2] * head.scale * 40
    return np.asarray(cv2.warpAffine(strands, matrix, shape[::-1], borderMode=cv2.BORDER_REFLECT))


def _paint_body(canvas: Canvas, head: Head, look: Look) -> None:
    def torso(points: list[tuple[float, float]]) -> Array:
        # The body follows the head's place but not its turning.
        return np.asarray(np.array(points) * head.scale + head.centre)

    wide = head.points[16, 0] / 72
    top = head.project(np.array([(-50 * wide, 35, -25), (50 * wide, 35, -25)]))
    low = torso([(-62 * wide, 165), (62 * wide, 165)])
    neck = np.concatenate([curve(np.stack([top[0], (top[0] * 0.3 + low[0] * 0.7) + (5, 0), low[0]])), low[1:], top[1:]])
    slope = [(-52 * wide, 112), (-100 * wide, 128), (-150, 150), (-175, 260)]
    shoulders = torso([*slope, *[(-across, down) for across, down in reversed(slope)]])
    canvas.paint(neck, _shade(look.skin, 0.78))
    opening = torso([(-50 * wide, 112), (0, 168 if look.collar == "vee" else 138), (50 * wide, 112)])
    body = np.concatenate([curve(shoulders), curve(opening[::-1], 1 if look.collar == "vee" else 8)])
    canvas.paint(body, look.cloth)
    if look.collar == "striped":
        for level in (128, 148, 168):
            bar = torso([(-200, level), (200, level), (200, level + 9), (-200, level + 9)])
            canvas.paint(bar, look.stripe, within=body)
    chin = curve(head.project(head.points[3:14] + (0, 9, -14)))
    canvas.paint(chin, _shade(look.skin, 0.5), alpha=0.5, soft=3 * head.scale, within=neck)


def _paint_ears(canvas: Canvas, head: Head, look: Look, size: float) -> None:
    for side in (-1.0, 1.0):
        centre = np.array([side * (abs(head.points[0, 0]) + 4), -20.0, -6.0])
        out, tall = np.array([side * 9 * size, -2, -9]), np.array([0, 20 * size, 0])
        canvas.paint(head.project(ring(centre, out, tall, 2.3)), _shade(look.skin, 0.93))
        inner = head.project(ring(centre + (side * 2, -1, 0), out * 0.5, tall * 0.6))
        canvas.paint(inner, _shade(look.skin, 0.68), alpha=0.7)


def _paint_skin_detail(canvas: Canvas, head: Head, look: Look, landmarks: Array) -> None:
    for side in (-1.0, 1.0):
        cheek = head.project(head.surface(np.array([side * 0.58]), np.array([4.0])))[0]
        reach = 17 * head.scale
        blot = ring(cheek, np.array([reach, 0]), np.array([0, reach * 0.8]))
        canvas.paint(blot, _shade(look.lips, 1.1), alpha=0.5 * look.blush, soft=6 * head.scale)
        wing, corner = head.points[[31, 48] if side < 0 else [35, 54]]
        fold = np.stack([wing + (side * 5, -6, -4), (wing + corner) / 2 + (side * 9, 0, -4), corner + (side * 7, 4, -4)])
        depth = 0.12 + 0.5 * look.age + 0.2 * max(head.moment.smile, 0)
        canvas.paint(
            curve(head.project(fold)), _shade(look.skin, 0.55), alpha=min(depth, 0.75), width=1.6 * head.scale, soft=1.2 * head.scale
        )
    spots = head.project(head.surface(look.freckles[:, 0], look.freckles[:, 1]))
    for spot, radius in zip(spots, look.freckles[:, 2] * head.scale, strict=True):
        dot = ring(spot, np.array([radius, 0]), np.array([0, radius]), steps=8)
        canvas.paint(dot, _shade(look.skin, 0.5), alpha=0.75)
    wrinkle = max(head.moment.brows, 0.0) * 0.3 + 0.6 * max(look.age - 0.45, 0)
    if wrinkle > 0.05:
        across = np.linspace(-0.5, 0.5, 7)
        for level in (-76, -84):
            line = head.project(head.surface(across, np.full(7, level - 6.0 * max(head.moment.brows, 0))))
            canvas.paint(curve(line), _shade(look.skin, 0.55), alpha=wrinkle, width=1.2 * head.scale, soft=0.9 * head.scale)


def _paint_beard(canvas: Canvas, head: Head, look: Look, landmarks: Array, outline: Array) -> None:
    soft = 2.2 * head.scale
    if look.beard > 0:
        sides = head.points[[3, 48, 57, 54, 13]]
        inner = head.project(
            np.stack([sides[0], sides[1] + (-9, 2, -6), sides[2] + (0, 6, 0), sides[3] + (9, 2, -6), sides[4]])
        )
        beard = np.concatenate([curve(landmarks[2:15]), curve(inner[::-1])])
        canvas.paint(beard, look.brows, alpha=look.beard, soft=soft, strands=140 * look.beard, within=outline)
    if look.moustache > 0:
        lip, nose = landmarks[48:55], landmarks[31:36]
        upper = lip * (0.35, 0.35) + np.array([0.65, 0.65]) * np.stack(
            [lip[0], (lip[1] + nose[0]) / 2, nose[1], nose[2], nose[3], (lip[5] + nose[4]) / 2, lip[6]]
        )
        canvas.paint(
            np.concatenate([curve(lip), curve(upper[::-1])]), look.brows, alpha=look.moustache, soft=soft / 2, strands=120
        )


def _paint_eye(canvas: Canvas, head: Head, look: Look, landmarks: Array, first: int) -> None:
    upper, lower = curve(landmarks[first : first + 4]), curve(landmarks[[first + 3, first + 4, first + 5, first]])
    opening = np.concatenate([upper, lower])
    socket = landmarks[first : first + 6].mean(axis=0)
    reach = 15 * head.scale
    hollow = ring(socket - (0, 5 * head.scale), np.array([reach, 0]), np.array([0, 0.55 * reach]))
    canvas.paint(hollow, _shade(look.skin, 0.6), alpha=0.4, soft=3.5 * head.scale)
    canvas.paint(opening, (222, 226, 230))
    middle = head.points[[first, first + 3]].mean(axis=0) + (0, -1, 3)
    gaze = (6.5 * head.moment.gaze_right, 2.5 * head.moment.gaze_down, 0)
    iris = head.project(middle + gaze)
    for radius, colour in ((7.4, _shade(look.iris, 0.55)), (6.4, look.iris), (3.0, DARK)):
        disc = ring(iris, head.rotation[:2, 0] * radius * head.scale, head.rotation[:2, 1] * radius * head.scale)
        canvas.paint(disc, colour, within=opening)
    glint = ring(iris - 2 * head.scale, np.array([1.3 * head.scale, 0]), np.array([0, 1.3 * head.scale]), steps=8)
    canvas.paint(glint, (250, 250, 250), within=opening)
    canvas.paint(upper, DARK, alpha=0.35, width=5 * head.scale, within=opening)
    canvas.paint(upper, DARK, alpha=0.85, width=look.lashes * 1.5 * head.scale)
    canvas.paint(lower, _shade(look.skin, 0.5), alpha=0.6, width=1.2 * head.scale)
    crease = curve(landmarks[first : first + 4] - np.array([[0, 3], [0, 5], [0, 5], [0, 3]]) * head.scale)
    canvas.paint(crease, _shade(look.skin, 0.5), alpha=0.55, width=1.3 * head.scale)


def _paint_brow(canvas: Canvas, head: Head, look: Look, points: Array, inner_first: bool) -> None:
    taper = np.array([0.35, 0.9, 1.0, 1.05, 0.85])[:: -1 if inner_first else 1]
    half = head.rotation[:2, 1] * (taper * look.brow_thickness * head.scale)[:, None]
    band = np.concatenate([curve(points - half), curve((points + half)[::-1])])
    canvas.paint(band, look.brows, alpha=0.92, soft=0.5 * head.scale, strands=110)


def _paint_nose(canvas: Canvas, head: Head, look: Look, landmarks: Array) -> None:
    for near, low, side in ((31, 32, -1.0), (35, 34, 1.0)):
        wing, base = head.points[near], head.points[low]
        edge = np.stack([wing + (side * 1, -10, -2), wing + (side * 4.5, -4, -3), wing, base])
        canvas.paint(
            curve(head.project(edge)), _shade(look.skin, 0.5), alpha=0.5, width=1.6 * head.scale, soft=0.8 * head.scale
        )
        hole = head.project(ring((wing + base) / 2 + (0, -1, 0), np.array([3.6, 0.8 * side, 0]), np.array([0, 1.9, 1])))
        canvas.paint(hole, _shade(look.skin, 0.25), alpha=0.85, soft=0.4 * head.scale)
    canvas.paint(curve(landmarks[31:36]), _shade(look.skin, 0.5), alpha=0.5, width=1.6 * head.scale, soft=0.7 * head.scale)


def _paint_mouth(canvas: Canvas, head: Head, look: Look, landmarks: Array) -> None:
    top, bottom = curve(landmarks[48:55]), curve(landmarks[[54, 55, 56, 57, 58, 59, 48]])
    inner_top, inner_bottom = curve(landmarks[60:65]), curve(landmarks[[64, 65, 66, 67, 60]])
    opening = np.concatenate([inner_top, inner_bottom])
    canvas.paint(np.concatenate([top, bottom]), look.lips)
    canvas.paint(np.concatenate([top, inner_top[::-1]]), _shade(look.lips, 0.85))
    shine = landmarks[[58, 57, 56]] * 0.6 + landmarks[[67, 66, 65]] * 0.4
    canvas.paint(curve(shine), _shade(look.lips, 1.45), alpha=0.45, width=1.6 * head.scale, soft=1.2 * head.scale)
    canvas.paint(opening, DARK)
    down = head.rotation[:2, 1] * head.scale
    tongue = ring(landmarks[66], head.rotation[:2, 0] * 13 * head.scale, down * 8)
    canvas.paint(tongue, TONGUE, within=opening, soft=head.scale)
    canvas.paint(np.concatenate([inner_top - down, (inner_top + 6.5 * down)[::-1]]), TEETH, within=opening)
    canvas.paint(inner_top, _shade(look.lips, 0.4), alpha=0.8, width=1.3 * head.scale)


def _paint_glasses(canvas: Canvas, head: Head, look: Look) -> None:
    if look.glasses == 0:
        return
    middles = [head.points[36:42].mean(axis=0), head.points[42:48].mean(axis=0)]
    for side, middle in zip((-1.0, 1.0), middles, strict=True):
        rim = ring(middle + (0, 2, 14), np.array([24, 0, -4 * side]), np.array([0, 17, 0]), look.glasses_shape, 40)
        closed = head.project(np.concatenate([rim, rim[:1]]))
        canvas.paint(closed, (235, 235, 235), alpha=0.08)
        canvas.paint(closed, look.frame, width=look.glasses * 1.4 * head.scale)
        hinge = middle + (side * 24, -2, 10)
        ear = np.array([side * abs(head.points[0, 0]) * 1.02, -32, -2])
        if side * head.rotation[0, 2] <= 0.2:
            canvas.paint(head.project(np.stack([hinge, ear])), look.frame, width=look.glasses * 1.4 * head.scale)
    bridge = np.stack([middles[0] + (24, -1, 18), (middles[0] + middles[1]) / 2 + (0, -5, 22), middles[1] + (-24, -1, 18)])
    canvas.paint(curve(head.project(bridge)), look.frame, width=look.glasses * 1.4 * head.scale)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255.0, channel * factor) for channel in colour)
    return blue, green, red


def invent_background(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A still background for a clip: a slope between two colours with a pattern, oversampled, four channels."""
    high, wide = height * OVERSAMPLING, width * OVERSAMPLING
    first, second = rng.uniform(30, 225, (2, 3))
    direction = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:high, 0:wide] / high
    slope = np.clip(0.5 + (x - 0.6) * np.cos(direction) + (y - 0.5) * np.sin(direction), 0, 1)
    picture = first + (second - first) * slope[..., None]
    picture = _pattern(rng, picture, x, y)
    return np.dstack([np.clip(picture, 0, 255), np.zeros((high, wide))]).astype(np.uint8)


def _pattern(rng: np.random.Generator, picture: Array, x: Array, y: Array) -> Array:
    kind = rng.choice(["plain", "stripes", "blobs", "shelf"])
    tint, period = rng.uniform(-45, 45, 3), rng.uniform(0.06, 0.3)
    if kind == "stripes":
        angle = rng.uniform(0, np.pi)
        return picture + tint * (np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period) > 0)[..., None]
    if kind == "blobs":
        blurred = cv2.GaussianBlur(rng.standard_normal(x.shape), (0, 0), 14 * OVERSAMPLING * x.shape[0] / 320)
        return picture + tint * (blurred / blurred.std())[..., None]
    if kind == "shelf":
        return picture + tint * (y > rng.uniform(0.3, 0.8))[..., None]
    return picture


def invent_strands(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Hair texture for a clip: noise drawn out along the hair, about 0."""
    noise = rng.standard_normal((height, width)).astype(np.float32)
    drawn = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.7, sigmaY=4.0)
    return np.asarray(drawn / drawn.std() * np.float32(0.16))

"""Paint one frame of a synthetic person from back to front, and light it."""

import cv2
import numpy as np

from facegan.synthetic.canvas import Array, Canvas, Pixels, coverage, curve, ring
from facegan.synthetic.face import Head, moved
from facegan.synthetic.features import disc, paint_brow, paint_eye, paint_glasses, paint_mouth, paint_nose
from facegan.synthetic.hair import hairline, paint_hair_behind, paint_hair_in_front, paint_skull
from facegan.synthetic.light import Plane, light_elsewhere, light_face
from facegan.synthetic.person import Look, Person, shade


def paint_person(head: Head, landmarks: Array, person: Person, background: Pixels, strands: Plane) -> Plane:
    """The light [height, width, 3] that reaches the camera; a clip keeps `background` and `strands`."""
    look, canvas = person.look, Canvas(background)
    outline = np.concatenate([curve(landmarks[:17]), hairline(head, look, person.build.forehead)[::-1]])
    paint_hair_behind(canvas, head, look)
    _paint_body(canvas, head, look)
    paint_skull(canvas, head, look)
    _paint_ears(canvas, head, look, person.build.ear)
    canvas.paint(outline, look.skin)
    _paint_skin(canvas, head, look, outline)
    _paint_beard(canvas, head, look, landmarks, outline)
    for eye, brow in ((36, 17), (42, 22)):
        paint_eye(canvas, head, look, landmarks, eye)
        paint_brow(canvas, head, look, landmarks, brow)
    paint_nose(canvas, head, look, landmarks)
    paint_mouth(canvas, head, look, landmarks)
    paint_hair_in_front(canvas, head, look)
    paint_glasses(canvas, head, look)
    return _light(canvas, head, outline, strands)


def _light(canvas: Canvas, head: Head, outline: Array, strands: Plane) -> Plane:
    picture, hair = canvas.finish()
    shape = (picture.shape[0], picture.shape[1])
    face = coverage(outline, (canvas.pixels.shape[0], canvas.pixels.shape[1]))
    share = cv2.resize(face, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    light = share * light_face(head, shape) + (1 - share) * light_elsewhere(head, shape)
    light = light * (1 + hair * _move_strands(strands, head, shape))
    return np.asarray(picture * light[..., None], np.float32)


def _move_strands(strands: Plane, head: Head, shape: tuple[int, int]) -> Plane:
    """The hair texture, rotated and moved with the head."""
    middle = (shape[1] / 2, shape[0] / 2)
    lean = np.arctan2(head.rotation[1, 0], head.rotation[0, 0])
    matrix = cv2.getRotationMatrix2D(middle, -float(np.rad2deg(lean)), 1.0)
    matrix[:, 2] = matrix[:, 2] + head.project(np.array([0.0, 0.0, 40.0])) - middle
    return np.asarray(cv2.warpAffine(strands, matrix, shape[::-1], borderMode=cv2.BORDER_REFLECT))


def _paint_body(canvas: Canvas, head: Head, look: Look) -> None:
    def torso(points: list[tuple[float, float]]) -> Array:
        # The body follows the position of the head but not its rotation.
        return np.asarray(np.array(points) * head.scale + head.centre)

    wide, vee = head.points[16, 0] / 72, look.collar == "vee"
    top = head.project(np.array([(-50 * wide, 35, -25), (50 * wide, 35, -25)]))
    neck = np.concatenate([top, torso([(62 * wide, 165), (-62 * wide, 165)])])
    slope = [(-52 * wide, 112), (-100 * wide, 128), (-150, 150), (-175, 260)]
    opening = torso([(-50 * wide, 112), (0, 168 if vee else 138), (50 * wide, 112)])
    shoulders = torso([*slope, *[(-across, down) for across, down in reversed(slope)]])
    clothes = np.concatenate([curve(shoulders), curve(opening[::-1], 1 if vee else 8)])
    canvas.paint(neck, shade(look.skin, 0.8))
    chin = curve(head.project(moved(head.points[3:14], 0, 9, -14)))
    canvas.paint(chin, shade(look.skin, 0.45), alpha=0.55, soft=3 * head.scale, within=neck)
    canvas.paint(clothes, look.cloth)
    if look.collar == "striped":
        bars = [torso([(-200, y), (200, y), (200, y + 9), (-200, y + 9)]) for y in (128, 148, 168)]
        canvas.paint(np.stack(bars), look.stripe, within=clothes)


def _paint_ears(canvas: Canvas, head: Head, look: Look, size: float) -> None:
    for side in (-1.0, 1.0):
        centre = np.array([side * (abs(head.points[0, 0]) + 4), -20.0, -6.0])
        out, tall = np.array([side * 9 * size, -2, -9]), np.array([0, 20 * size, 0])
        canvas.paint(head.project(ring(centre, out, tall, 2.3)), shade(look.skin, 0.93))
        inner = head.project(ring(moved(centre, side * 2, -1, 0), out * 0.5, tall * 0.6))
        canvas.paint(inner, shade(look.skin, 0.68), alpha=0.7)


def _paint_skin(canvas: Canvas, head: Head, look: Look, outline: Array) -> None:
    unit, line, lift = head.scale, shade(look.skin, 0.55), max(head.moment.brows, 0.0)
    fold_depth = 0.08 + 0.55 * max(look.age - 0.2, 0) + 0.2 * max(head.moment.smile, 0)
    for side, wing, corner in ((-1.0, 31, 48), (1.0, 35, 54)):
        cheek = head.project(head.surface(np.array([side * 0.58]), np.array([4.0])))[0]
        blush = disc(cheek, 17 * unit, 14 * unit)
        canvas.paint(blush, shade(look.lips, 1.1), alpha=0.5 * look.blush, soft=6 * unit, within=outline)
        first, last = (
            moved(head.points[wing], side * 5, -6, -4),
            moved(head.points[corner], side * 7, 4, -4),
        )
        fold = curve(head.project(np.stack([first, moved((first + last) / 2, side * 3, 1, -1), last])))
        canvas.paint(fold, line, alpha=min(fold_depth, 0.7), width=1.6 * unit, soft=1.2 * unit)
    if len(look.freckles):
        spots = head.project(head.surface(look.freckles[:, 0], look.freckles[:, 1]))
        dots = np.stack([disc(spot, size * unit) for spot, size in zip(spots, look.freckles[:, 2], strict=True)])
        canvas.paint(dots, shade(look.skin, 0.5), alpha=0.7, within=outline)
    for level in (-72, -80):
        across, down = np.linspace(-0.5, 0.5, 7), np.full(7, level - 5 * lift)
        wrinkle = curve(head.project(head.surface(across, down)))
        depth = 0.25 * lift + 0.6 * max(look.age - 0.4, 0)
        canvas.paint(wrinkle, line, alpha=depth, width=1.2 * unit, soft=0.9 * unit, within=outline)


def _paint_beard(canvas: Canvas, head: Head, look: Look, landmarks: Array, outline: Array) -> None:
    soft = 2.2 * head.scale
    if look.beard > 0:
        beside = np.array([(0, 0, 0), (-9, 2, -6), (0, 6, 0), (9, 2, -6), (0, 0, 0)])
        inner = curve(head.project(head.points[[3, 48, 57, 54, 13]] + beside))
        beard = np.concatenate([curve(landmarks[2:15]), inner[::-1]])
        strands = 140 * look.beard
        canvas.paint(beard, look.brows, alpha=look.beard, soft=soft, strands=strands, within=outline)
    if look.moustache > 0:
        lip, nose = landmarks[48:55], landmarks[[31, 31, 32, 33, 34, 35, 35]]
        reach = np.array([0.0, 0.45, 0.65, 0.65, 0.65, 0.45, 0.0])[:, None]
        edge = lip + reach * (nose - lip)
        moustache = np.concatenate([curve(lip), curve(edge[::-1])])
        canvas.paint(moustache, look.brows, alpha=look.moustache, soft=soft / 2, strands=120)

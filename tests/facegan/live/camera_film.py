"""A film of a rendered face for Chromium's fake camera, in which only what is asked for moves."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np

from facegan.synthetic.canvas import Array, Pixels
from facegan.synthetic.face import neutral_points, pose_head
from facegan.synthetic.motion import Moment
from facegan.synthetic.paint import paint_person
from facegan.synthetic.person import random_person
from facegan.synthetic.scene import random_background, random_camera, random_strands

WIDTH, HEIGHT = 640, 480
AT_REST = replace(Moment(**{field.name: 0.0 for field in fields(Moment)}), scale=1, light_pitch=30, light_power=0.8)


def frame_of(moment: Moment, person: int) -> tuple[Pixels, Array]:
    """A frame [480, 640, 3] BGR of a rendered person, with its landmarks [68, 2]; the same number gives the same person."""
    rng = np.random.default_rng(person)
    who = random_person(rng)
    camera, background = random_camera(rng, HEIGHT, WIDTH), random_background(rng, HEIGHT, WIDTH)
    strands = random_strands(rng, HEIGHT, WIDTH)
    head = pose_head(neutral_points(who.build), moment, WIDTH, HEIGHT)
    landmarks = head.landmarks()
    return camera.record(paint_person(head, landmarks, who, background, strands), rng), landmarks


def write_film(path: Path, moments: Sequence[tuple[Moment, int]], person: int) -> None:
    """Write JPEG files one after the other, which Chromium plays as 30 frames a second: each moment so many times."""
    with path.open("wb") as film:
        for moment, times in moments:
            done, image = cv2.imencode(".jpg", frame_of(moment, person)[0])
            assert done
            film.write(image.tobytes() * times)

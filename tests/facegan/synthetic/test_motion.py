"""Light is constant within a clip and differs between clips."""

import numpy as np

from facegan.synthetic.motion import random_motion


def test_light_does_not_move_within_a_clip_but_differs_between_clips() -> None:
    clips = [random_motion(np.random.default_rng(seed), 30) for seed in range(5)]
    lights = [{(m.light_yaw, m.light_pitch, m.light_power) for m in clip} for clip in clips]
    assert all(len(light) == 1 for light in lights)
    assert len(set.union(*lights)) == 5
    assert len({m.yaw for m in clips[0]}) == 30, "the head moves"

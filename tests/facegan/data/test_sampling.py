"""The frames of each step depend on seed and step alone."""

import numpy as np
import pytest

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.data.sampling import batches, sample, training_clips
from facegan.errors import UserError


def test_sampling_is_a_pure_function_of_seed_and_step(data: FaceData, tiny: Config) -> None:
    clips = training_clips(data, tiny)
    a, b = (sample(clips, 3, 17, 8, True) for _ in range(2))
    assert all(np.array_equal(getattr(a, n), getattr(b, n)) for n in a.__slots__)
    other = sample(clips, 3, 18, 8, True)
    assert not np.array_equal(a.source, other.source)
    assert not np.array_equal(a.source, sample(clips, 4, 17, 8, True).source)


def test_a_sample_has_three_different_frames_of_one_clip(data: FaceData, tiny: Config) -> None:
    clips = training_clips(data, tiny)
    of_clip = {int(row): i for i, rows in enumerate(clips) for row in rows}
    for step in range(50):
        t = sample(clips, 0, step, 8, True)
        for a, b, c in zip(t.source, t.target, t.third, strict=True):
            assert len({a, b, c}) == 3
            assert of_clip[a] == of_clip[b] == of_clip[c]


def test_the_parts_of_all_ranks_make_up_the_global_batch(data: FaceData, tiny: Config) -> None:
    whole = sample(training_clips(data, tiny), 0, 5, 8, True)
    for world in (1, 2, 4):
        parts = [whole.part(rank, world).source for rank in range(world)]
        assert sorted(np.concatenate(parts)) == sorted(whole.source)


def test_every_arm_of_a_seed_sees_the_same_batches(data: FaceData, tiny: Config) -> None:
    arms = [tiny, tiny.override({"loss.pixel": 0.0}), tiny.override({"loss.perceptual": 0.0, "loss.identity": 0.0})]
    feeds = [batches(data, arm, 0, 0, 1, pin=False) for arm in arms]
    for _ in range(5):
        first, *others = [next(feed) for feed in feeds]
        assert all((first.source == o.source).all() and (first.third_points == o.third_points).all() for o in others)


def test_a_resumed_feed_continues_with_the_next_batch(data: FaceData, tiny: Config) -> None:
    whole = batches(data, tiny, 0, 0, 1, pin=False)
    for _ in range(4):
        next(whole)
    assert (next(whole).target == next(batches(data, tiny, 4, 0, 1, pin=False)).target).all()


def test_data_of_another_size_is_refused(data: FaceData) -> None:
    with pytest.raises(UserError, match=r"32 pixels, data\.size is 128"):
        training_clips(data, Config())

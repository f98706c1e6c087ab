"""The frames of each step depend on seed and step alone."""

from functools import cache

import numpy as np
import pytest
import torch

from facegan.config import Config
from facegan.data.reading.batch import Triplets
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import batches, sample, training_clips
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


def rows_of(triplets: Triplets) -> list[tuple[int, int, int, bool]]:
    """Each sample as (source, target, third, mirrored)."""
    return list(zip(*(getattr(triplets, name).tolist() for name in triplets.__slots__), strict=True))


def test_the_parts_of_all_ranks_make_up_the_global_batch(data: FaceData, tiny: Config) -> None:
    whole = sample(training_clips(data, tiny), 0, 5, 8, True)
    for world in (1, 2, 3, 4):
        parts = [rows_of(whole.part(rank, world)) for rank in range(world)]
        assert sorted(row for part in parts for row in part) == sorted(rows_of(whole))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_no_two_seeds_or_steps_share_a_batch(data: FaceData, tiny: Config) -> None:
    """Seed 0 at step 1 is not seed 1 at step 0: arms of two seeds would see the same frames, some steps apart."""
    clips = training_clips(data, tiny)
    seen = {tuple(rows_of(sample(clips, seed, step, 8, True))) for seed in range(8) for step in range(8)}
    assert len(seen) == 64


CLIPS = [np.arange(0, 5), np.arange(5, 12), np.arange(12, 15)]
DRAWN = 6_000
SLACK = 4 * (0.25 / DRAWN) ** 0.5
"""Four standard errors of a share of one half, the least certain."""


@cache
def drawn(flip: bool) -> Triplets:
    batches = [sample(CLIPS, 0, step, 4, flip) for step in range(DRAWN // 4)]
    return Triplets(*(np.concatenate([getattr(b, name) for b in batches]) for name in Triplets.__slots__))


def test_clips_and_their_frames_are_drawn_evenly() -> None:
    """A clip counts once, however long it is, and each of its frames is source, target and third equally often."""
    triplets = drawn(True)
    for name in ("source", "target", "third"):
        rows = getattr(triplets, name)
        for clip in CLIPS:
            for row in clip:
                assert abs((rows == row).mean() - 1 / 3 / len(clip)) < SLACK, (name, row)
    assert abs((triplets.source < triplets.target).mean() - 0.5) < SLACK
    assert abs((triplets.target < triplets.third).mean() - 0.5) < SLACK


def test_the_samples_of_a_batch_are_independent() -> None:
    triplets = drawn(True)
    clip = np.digitize(triplets.source, [5, 12]).reshape(-1, 4)
    mirrored = triplets.mirrored.reshape(-1, 4)
    assert abs((clip[:, 0] == clip[:, 1]).mean() - 1 / 3) < 2 * SLACK  # a quarter as many pairs as samples
    assert abs((mirrored[:, 0] == mirrored[:, 1]).mean() - 0.5) < 2 * SLACK


def test_half_of_the_samples_are_mirrored_or_none() -> None:
    assert abs(drawn(True).mirrored.mean() - 0.5) < SLACK
    assert not drawn(False).mirrored.any()


@pytest.mark.parametrize("flip", [True, False])
def test_batches_are_the_samples_of_the_configuration(data: FaceData, tiny: Config, flip: bool) -> None:
    config = tiny.override({"seed": 5, "data.flip": flip, "data.validation_fraction": 0.4})
    of_training = list(data.clips("train", 0.4).values())
    feed = batches(data, config, 2, 1, 2, pin=False)
    for step in (2, 3):
        expected = data.batch(sample(of_training, 5, step, config.optim.batch, flip).part(1, 2))
        found = next(feed)
        assert all(torch.equal(getattr(found, name), getattr(expected, name)) for name in found.__slots__)
    feed.close()


def test_clips_of_fewer_than_three_frames_are_not_sampled(
    data: FaceData, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = {"two": np.arange(2), "three": np.arange(2, 5)}
    monkeypatch.setattr(data, "clips", lambda *_: clips)
    assert [rows.tolist() for rows in training_clips(data, tiny)] == [[2, 3, 4]]
    del clips["three"]
    with pytest.raises(UserError, match="three frames or more"):
        training_clips(data, tiny)


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

"""The people that a live page starts from."""

import numpy as np
import torch

from facegan.data.reading.batch import to_signed
from facegan.data.reading.face_data import FaceData
from facegan.live.people import choose_sources


def test_each_test_person_gives_the_most_typical_frame(data: FaceData) -> None:
    sources = choose_sources(data, 12)
    clips = data.clips("test", 0.0)
    assert sources.names == [data.person_of(clip) for clip in clips] and len(clips) == 2
    for rows, image, points in zip(clips.values(), sources.images, sources.points, strict=True):
        centred = data.points[rows] - data.points[rows].mean(axis=1, keepdims=True)
        distances = [float(np.linalg.norm(face - centred.mean(axis=0))) for face in centred]
        row = rows[int(np.argmin(distances))]
        assert np.array_equal(points, data.points[row]) and np.array_equal(image, data.image(row))


def test_few_people_are_spread_over_all(data: FaceData) -> None:
    assert choose_sources(data, 1).names == choose_sources(data, 12).names[:1]


def test_images_are_scaled_as_in_training(data: FaceData) -> None:
    sources = choose_sources(data, 2)
    expected = to_signed(torch.from_numpy(sources.images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(sources.signed(), expected, atol=1e-6)

"""The parts of a data set and the batches made of its rows."""

import numpy as np

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.data.sampling import sample, training_clips
from facegan.landmarks.points import mirror


def test_validation_and_test_people_are_never_trained_on(data: FaceData) -> None:
    parts = {part: set(data.clips(part, 0.2)) for part in ("train", "validation", "test")}
    assert parts["train"].isdisjoint(parts["validation"] | parts["test"])
    assert len(parts["validation"]) == 1 and len(parts["train"]) == 4
    assert parts["test"] == {"5001", "5002"}
    assert set(data.clips("train", 0.0)) == parts["train"] | parts["validation"]


def test_mirrored_samples_have_mirrored_landmarks(data: FaceData, tiny: Config) -> None:
    t = sample(training_clips(data, tiny), 0, 0, 16, True)
    batch = data.batch(t)
    assert t.mirrored.any() and not t.mirrored.all()
    for i, (row, flipped) in enumerate(zip(t.source, t.mirrored, strict=True)):
        image, points = data.image(row), data.points[row]
        expected = (image[:, ::-1], mirror(points, 32)) if flipped else (image, points)
        assert np.array_equal(batch.source[i].numpy().transpose(1, 2, 0), expected[0])
        assert np.array_equal(batch.source_points[i].numpy(), expected[1])

"""The parts of a data set and the batches made of its rows."""

import numpy as np

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import sample, training_clips
from facegan.landmarks.points import mirror


def test_validation_and_test_people_are_never_trained_on(data: FaceData) -> None:
    parts = {part: set(data.clips(part, 0.2)) for part in ("train", "validation", "test")}
    assert parts["train"].isdisjoint(parts["validation"] | parts["test"])
    assert len(parts["validation"]) == 1 and len(parts["train"]) == 4
    assert parts["test"] == {"5001", "5002"}
    assert set(data.clips("train", 0.0)) == parts["train"] | parts["validation"]


def test_a_batch_holds_the_images_and_landmarks_of_its_rows_mirrored_alike(data: FaceData, tiny: Config) -> None:
    t = sample(training_clips(data, tiny), 0, 0, 16, True)
    batch = data.batch(t)
    assert t.mirrored.any() and not t.mirrored.all()
    for i, flipped in enumerate(t.mirrored):
        for rows, images, points in (
            (t.source, batch.source, batch.source_points),
            (t.target, batch.target, batch.target_points),
            (t.third, None, batch.third_points),
        ):
            image, face = data.image(rows[i]), np.array(data.points[rows[i]])
            if flipped:
                image, face = image[:, ::-1], mirror(face, 32)
            assert np.array_equal(points[i].numpy(), face)
            if images is not None:
                assert np.array_equal(images[i].numpy().transpose(1, 2, 0), image)

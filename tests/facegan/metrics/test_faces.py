"""What the evaluators see in real frames, and the file of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluation_set import prepare_evaluation_set
from facegan.metrics.faces import look_at, look_at_each, real_faces
from facegan.metrics.pairs import images_of
from tests.facegan.metrics.oracle import Pictures, evaluators_of, oracle_of


def test_each_row_is_looked_at_once_and_found_in_any_order(data: FaceData, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = oracle_of(data)
    find, seen = oracle.find, []

    def counted(images: Pictures) -> NDArray[np.float32]:
        seen.append(len(images))
        return find(images)

    monkeypatch.setattr(oracle, "find", counted)
    rows = np.array([9, 2, 9, 4])
    found = real_faces(data, rows, evaluators_of(oracle), None).of(rows)
    assert seen[0] == 3
    assert np.array_equal(found.found, data.points[rows]) and np.array_equal(found.embeddings[0], found.embeddings[2])


def test_groups_are_looked_at_together_and_have_their_own_faces(data: FaceData) -> None:
    evaluators = evaluators_of(oracle_of(data))
    groups = [images_of(data, np.array(rows, np.int64)) for rows in ([9, 2, 9], [], [4], [7, 8])]
    for images, found in zip(groups, look_at_each(groups, evaluators), strict=True):
        assert len(found.found) == len(images)
        if len(images):
            alone = look_at(images, evaluators)
            assert np.array_equal(found.found, alone.found) and np.array_equal(found.embeddings, alone.embeddings)


def test_the_file_is_written_once_and_read_instead_of_looking_again(data: FaceData, tmp_path: Path) -> None:
    cache, rows = tmp_path / "reference_frames.npz", np.array([3, 8])
    made = real_faces(data, rows, evaluators_of(oracle_of(data)), cache)
    read = real_faces(data, rows[::-1], evaluators_of(None), cache)
    for name in ("found", "embeddings"):
        assert np.array_equal(getattr(made.faces, name), getattr(read.faces, name))


@pytest.mark.parametrize("content", [b"", b"half", "others", "cut"])
def test_a_damaged_file_is_refused_and_made_again_once_removed(content: bytes | str, data: FaceData, tmp_path: Path) -> None:
    cache, evaluators = tmp_path / "reference_frames.npz", evaluators_of(oracle_of(data))
    empty: dict[str, Any] = {"found": np.zeros((1, 68, 2)), "embeddings": np.zeros((1, 4))}
    if isinstance(content, bytes):
        cache.write_bytes(content)
    elif content == "others":
        np.savez(cache, rows=np.zeros(1, np.int64), **empty)
    else:
        np.savez(cache, **empty)
    with pytest.raises(UserError, match=r"reference_frames\.npz (is damaged|belongs to other data)"):
        prepare_evaluation_set(data, evaluators, cache, Sampling())
    cache.unlink()
    prepare_evaluation_set(data, evaluators, cache, Sampling())
    assert cache.exists()

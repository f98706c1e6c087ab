"""Frames kept on the device."""

import pytest
import torch

from facegan.config import Config
from facegan.data.reading import resident
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import batches
from facegan.errors import UserError


def test_resident_frames_give_the_same_batches(data: FaceData, tiny: Config) -> None:
    for rank, world in ((0, 1), (1, 2)):
        decoded = batches(data, tiny, 3, rank, world, pin=False)
        gathered = resident.resident_batches(data, tiny, 3, rank, world, torch.device("cpu"))
        for _ in range(6):
            a, b = next(decoded), next(gathered)
            assert all(torch.equal(getattr(a, name), getattr(b, name)) for name in a.__slots__)


def test_resident_frames_that_do_not_fit_are_refused(data: FaceData, tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_free_bytes", lambda device: 2**16)
    with pytest.raises(UserError, match=r"data\.resident is True: .* set it to False"):
        next(resident.resident_batches(data, tiny, 0, 0, 1, torch.device("cpu")))

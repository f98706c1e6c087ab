"""Annotations: a clip with any .pts file is ingested, and each of its frames is written or quarantined with a reason."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.shards import write_clip
from facegan.data.ingest.sources import ClipSource, clips_in
from facegan.landmarks.points import POINTS
from tests.facegan.data.ingest.videos import face_points
from tests.fuzz.inputs import inputs, value_or_one_line

SIDE = 96
FACE = face_points(48, 40, 30)
CONFIGS = (IngestConfig(size=32, encoding="png"), IngestConfig(size=32, crop_scale=5.0, crop_smoothing=1.5))
PTS = "version: 1\nn_points: 68\n{{\n{}\n}}\n"

_numbers = st.sampled_from(
    ("nan", "inf", "-inf", "1e400", "1e6", "-1e6", "1000001", "1e-320", "0", "-0.0", "_", "1_0", "٣", "{", "}", "")
)
_numbers |= st.floats(-200, 300).map(str) | st.floats().map(str) | st.integers().map(str)


@st.composite
def near_a_face(draw: st.DrawFn) -> bytes:
    """The face moved, scaled, turned or squeezed as a whole, then some of its numbers replaced."""
    matrix = np.array([draw(st.floats(-3, 3)) for _ in range(4)]).reshape(2, 2) if draw(st.booleans()) else np.eye(2)
    moved = FACE @ matrix * draw(st.sampled_from((1.0, 1.0, 0.0, 0.05, 5.0, 1e4))) + draw(
        st.sampled_from((0.0, 0.0, 40.0, -1e5))
    )
    words = [f"{value:.3f}" for value in moved.ravel()]
    for _ in range(draw(st.integers(0, 4))):
        words[draw(st.integers(0, 2 * POINTS - 1))] = draw(_numbers)
    return PTS.format("\n".join(words[: draw(st.sampled_from((136, 136, 136, 135, 0)))])).encode()


texts = (
    st.binary(max_size=300) | st.lists(_numbers, max_size=140).map(lambda w: PTS.format(" ".join(w)).encode()) | near_a_face()
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ClipSource]:
    """Three pictures of noise with the annotations of one face."""
    root = tmp_path_factory.mktemp("source")
    (root / "001" / "annot").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    for number in (1, 2, 3):
        cv2.imwrite(str(root / "001" / f"{number:06d}.png"), noise)
        (root / "001" / "annot" / f"{number:06d}.pts").write_text(PTS.format("\n".join(map(str, FACE.ravel()))))
    return root, clips_in(root)[0]


@inputs(25, 100)
@given(content=texts, number=st.integers(1, 3), config=st.sampled_from(CONFIGS))
def test_any_annotation_leaves_a_frame_or_a_reason(
    clip: tuple[Path, ClipSource], tmp_path: Path, content: bytes, number: int, config: IngestConfig
) -> None:
    root, source = clip
    file = root / "001" / "annot" / f"{number:06d}.pts"
    original = file.read_bytes()
    file.write_bytes(content)
    try:
        record = value_or_one_line("annotation", lambda: write_clip(source, root, tmp_path, config, "0" * 64))
    finally:
        file.write_bytes(original)
    assert record is not None and record.frames_read == 3
    assert all(bad.reason.isprintable() for bad in record.quarantined)

"""Frames and annotations of a clip, brought together."""

from pathlib import Path

import numpy as np

from facegan.data.ingest.clip_reader import ClipReader, LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.sources import clips_in
from tests.facegan.data.ingest.videos import face_points, write_pts, write_video


def test_each_frame_of_a_long_clip_has_its_own_landmarks(tmp_path: Path) -> None:
    """Annotations are read ahead, by groups; the frames are no multiple of a group."""
    (tmp_path / "001").mkdir()
    write_video(tmp_path / "001" / "vid.avi", "MJPG", frames=150)
    for number in set(range(1, 151)) - {65, 150}:
        write_pts(tmp_path / "001" / "annot" / f"{number:06d}.pts", face_points(x=20 + number / 10))
    (clip,) = clips_in(tmp_path)
    frames = list(ClipReader(clip, tmp_path, None).read())
    missing = [(f.frame, f.reason, f.where) for f in frames if isinstance(f, Quarantined)]
    assert missing == [(n, "annotation missing", f"001/annot/{n:06d}.pts") for n in (65, 150)]
    located = [f for f in frames if isinstance(f, LocatedFrame)]
    assert len(located) == 148
    assert all(np.abs(f.points - face_points(x=20 + f.frame / 10)).max() < 1e-4 for f in located)

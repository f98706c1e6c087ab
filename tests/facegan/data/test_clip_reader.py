"""Frames and annotations of a clip, brought together."""

from pathlib import Path

from facegan.data.clip_reader import ClipReader, LocatedFrame
from facegan.data.clip_record import Quarantined
from facegan.data.sources import clips_in
from tests.facegan.data.videos import write_video


def test_each_frame_of_a_long_clip_has_its_own_landmarks(tmp_path: Path) -> None:
    """Annotations are read ahead, by groups; the frames are no multiple of a group."""
    (tmp_path / "001" / "annot").mkdir(parents=True)
    write_video(tmp_path / "001" / "vid.avi", "MJPG", frames=150)
    for number in set(range(1, 151)) - {65, 150}:
        row = f"{number / 10 + 1} 5\n"
        (tmp_path / "001" / "annot" / f"{number:06d}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{row * 68}}}\n")
    (clip,) = clips_in(tmp_path)
    frames = list(ClipReader(clip, tmp_path, None).read())
    missing = [(f.frame, f.reason, f.where) for f in frames if isinstance(f, Quarantined)]
    assert missing == [(n, "annotation missing", f"001/annot/{n:06d}.pts") for n in (65, 150)]
    located = [f for f in frames if isinstance(f, LocatedFrame)]
    assert len(located) == 148
    assert all(abs(f.points[0, 0] - f.frame / 10) < 1e-5 for f in located)

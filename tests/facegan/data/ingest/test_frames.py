"""Decoding of videos and of folders of images."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from facegan.data.ingest.frames import OTHER_SIZE, UNDECODABLE, Frame, claimed_frames, decode
from tests.facegan.data.ingest.videos import write_video


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "MJPG"), ("a.avi", "XVID"), ("a.avi", "FFV1"), ("a.mp4", "mp4v"), ("a.mov", "mp4v")]
)
def test_videos_of_common_codecs_are_decoded(tmp_path: Path, name: str, codec: str) -> None:
    write_video(tmp_path / name, codec)
    frames = list(decode(tmp_path / name))
    assert [f.number for f in frames] == [1, 2, 3, 4, 5]
    assert claimed_frames(tmp_path / name) == 5
    assert all(isinstance(f, Frame) and abs(float(f.image.mean()) - 40 * (f.number - 1)) < 6 for f in frames)


def test_images_of_a_folder_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "11.png").write_bytes(b"")
    (tmp_path / "12.jpg").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "13.png"), np.zeros((8, 9, 3), np.uint8))
    assert [int(f.image[0, 0, 0]) if isinstance(f, Frame) else f.reason for f in decode(tmp_path)] == [
        *(1, 2, 9, 10, UNDECODABLE, UNDECODABLE, OTHER_SIZE)
    ]


def test_a_header_that_claims_millions_of_frames_is_not_believed(tmp_path: Path) -> None:
    """The count of frames lies at two places of an .avi's header; damage there must not fill the memory."""
    write_video(tmp_path / "vid.avi", "MJPG")
    content = bytearray((tmp_path / "vid.avi").read_bytes())
    for field in (content.index(b"avih") + 24, content.index(b"strh") + 40):
        content[field : field + 4] = (2_000_000_000).to_bytes(4, "little")
    (tmp_path / "vid.avi").write_bytes(content)
    assert 5 <= claimed_frames(tmp_path / "vid.avi") < len(content)
    assert len(list(decode(tmp_path / "vid.avi"))) == 5


def test_a_pipe_in_place_of_a_video_or_a_picture_is_not_waited_for(tmp_path: Path) -> None:
    """Reading one would never end; a process can be ended by the test, a thread in FFmpeg cannot."""
    os.mkfifo(tmp_path / "vid.avi")
    (tmp_path / "pictures").mkdir()
    os.mkfifo(tmp_path / "pictures" / "1.png")
    cv2.imwrite(str(tmp_path / "pictures" / "2.png"), np.full((8, 8, 3), 2, np.uint8))
    script = (
        "import sys; from pathlib import Path; from facegan.data.ingest.frames import claimed_frames, decode\n"
        "for place in ('vid.avi', 'pictures'):\n"
        "    found = Path(sys.argv[1], place)\n"
        "    print(claimed_frames(found), *(getattr(frame, 'reason', frame.number) for frame in decode(found)), sep=', ')"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"0\n2, {UNDECODABLE}, 2\n"

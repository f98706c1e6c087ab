"""Videos with flipped bits: what the decoder reports as damaged is not counted as good, and no frame gets another's number."""

import random
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facegan.data.ingest.frames import DAMAGED, UNDECODABLE, BadFrame, Frame, claimed_frames, decode
from tests.known import known

FRAMES, SIDE = 60, 96
CODECS = {"mjpeg.avi": "mjpeg", "mpeg4.mp4": "mpeg4", "h264.mp4": "libx264", "mpeg4.avi": "mpeg4"}
Image = NDArray[np.uint8]


def scene() -> list[Image]:
    """A bright disc that moves over a still texture."""
    texture = cv2.resize(np.random.default_rng(0).integers(0, 120, (24, 24, 3), np.uint8), (SIDE, SIDE))
    return [
        np.asarray(cv2.circle(texture.copy(), (20 + n, 40 + n // 2), 12, (90, 200, 250), -1), np.uint8) for n in range(FRAMES)
    ]


def write(path: Path, codec: str) -> Path:
    """A video of the scene with a frame that needs no other every 12 frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "12"})
        assert isinstance(stream, VideoStream)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in scene():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def places(path: Path) -> list[tuple[int, int]]:
    """Where each frame begins in the file, and its bytes."""
    with av.open(str(path)) as container:
        return [(known(packet.pos), packet.size) for packet in container.demux(video=0) if packet.size]


def flip_bits(path: Path, into: Path, seed: int, bits: int = 30) -> Path:
    """A copy in which bits of the frames are flipped; the header and the index stay whole."""
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    packets = places(path)
    for _ in range(bits):
        position, size = rng.choice(packets)
        content[position + rng.randrange(size)] ^= 1 << rng.randrange(8)
    into.write_bytes(content)
    return into


def difference(frame: Frame, whole: Frame) -> float:
    return float(np.abs(frame.image.astype(int) - whole.image).mean())


@pytest.mark.parametrize(
    ("name", "most_missed"), [("mjpeg.avi", 0.65), ("mpeg4.mp4", 0.05), ("h264.mp4", 0.1), ("mpeg4.avi", 0.05)]
)
def test_damaged_frames_are_not_written_and_whole_ones_are(name: str, most_missed: float, tmp_path: Path) -> None:
    """JPEG has no checksum, so that its decoder cannot know of all errors."""
    video = write(tmp_path / name, CODECS[name])
    whole = [frame for frame in decode(video) if isinstance(frame, Frame)]
    assert [frame.number for frame in whole] == list(range(1, FRAMES + 1)) and claimed_frames(video) == FRAMES
    found = missed = 0
    for seed in range(4):
        frames = list(decode(flip_bits(video, tmp_path / f"flipped-{name}", seed)))
        assert [frame.number for frame in frames] == list(range(1, FRAMES + 1))
        for frame, intact in zip(frames, whole, strict=True):
            if isinstance(frame, Frame):
                missed += difference(frame, intact) > 0.5
            else:
                assert frame.reason in (DAMAGED, UNDECODABLE)
                found += 1
    assert found >= 15 and missed <= most_missed * (found + missed), (found, missed)


def test_a_lost_frame_moves_no_number(tmp_path: Path) -> None:
    """The bytes of one frame are overwritten; the frames after it keep their annotations."""
    video = write(tmp_path / "clip.avi", "mjpeg")
    whole = list(decode(video))
    packets = places(video)
    content = bytearray(video.read_bytes())
    position, size = packets[9]
    content[position : position + size] = bytes(size)
    video.write_bytes(content)
    frames = list(decode(video))
    assert frames[9] == BadFrame(10, UNDECODABLE) and len(frames) == FRAMES
    for frame, intact in zip(frames[:9] + frames[10:], whole[:9] + whole[10:], strict=True):
        assert isinstance(frame, Frame) and isinstance(intact, Frame)
        assert frame.number == intact.number and np.array_equal(frame.image, intact.image)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_that_is_marked_as_turned_is_turned(degrees: int, tmp_path: Path) -> None:
    """As phones write them: the matrix in the track's header, clockwise. OpenCV reads the same."""
    video = write(tmp_path / "clip.mp4", "mpeg4")
    plain = next(decode(video))
    content = bytearray(video.read_bytes())
    a, b = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content_at = content.index(b"tkhd") + 4 + 40
    content[content_at : content_at + 36] = struct.pack(">9i", a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    video.write_bytes(content)
    turned = next(decode(video))
    assert isinstance(plain, Frame) and isinstance(turned, Frame)
    assert np.array_equal(turned.image, np.rot90(plain.image, -degrees // 90))
    assert np.array_equal(turned.image, cv2.VideoCapture(str(video)).read()[1])


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_whose_file_is_cut_off_is_damaged(suffix: str, tmp_path: Path) -> None:
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}{suffix}"), scene()[number])
    second = tmp_path / f"2{suffix}"
    second.write_bytes(second.read_bytes()[: second.stat().st_size * 2 // 3])
    first, bad = decode(tmp_path)
    assert isinstance(first, Frame) and isinstance(bad, BadFrame)


@pytest.mark.parametrize("name", CODECS)
def test_damage_anywhere_in_the_file_gives_frames_or_reasons(name: str, tmp_path: Path) -> None:
    """Also in headers, indices and titles."""
    video = write(tmp_path / name, CODECS[name])
    content, rng, damaged = video.read_bytes(), random.Random(7), tmp_path / f"damaged-{name}"
    for _ in range(40):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 10, 200))):
            changed[rng.choice((rng.randrange(600), -1 - rng.randrange(600), rng.randrange(len(content))))] = rng.randrange(256)
        damaged.write_bytes(changed[: rng.choice((len(content), rng.randrange(len(content))))])
        frames = list(decode(damaged))
        assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
        assert 0 <= claimed_frames(damaged) <= len(content) // 16

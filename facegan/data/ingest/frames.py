"""The frames of a video or of a folder of images, each decoded or with the reason why it cannot be."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from facegan.data.ingest.sources import IMAGES

_MIN_FRAME_BYTES = 16
"""A frame takes at least this many bytes of its file; a damaged header may claim billions of frames."""
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND"}
"""By the first bytes of a picture's file: those that end it."""
_TAIL = 1024
"""Bytes in which the end is looked for; some programs write more after it."""
UNREADABLE = "video missing or unreadable"
ENDED = "video ends before this frame"
UNDECODABLE = "frame cannot be decoded"
DAMAGED = "frame is damaged, or builds on a damaged one"
OTHER_SIZE = "frame has another size than the first"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: its number in the clip from 1, and its image [height, width, 3] uint8 BGR."""

    number: int
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that cannot be used, and the reason."""

    number: int
    reason: str


def claimed_frames(video: Path) -> int:
    """Number of frames by the header of a video or by the listing of a folder; 0 if the video cannot be read."""
    if video.is_dir():
        return len(_pictures(video))
    if not video.is_file():  # a pipe would be waited for
        return 0
    try:
        with _opened(video) as container:
            stream = container.streams.video[0]
            # A header without a number of frames has a length in microseconds.
            length = (container.duration or 0) * (stream.average_rate or 0) / 1_000_000
            claimed = stream.frames or round(length)
    except (av.error.FFmpegError, OSError, IndexError):
        return 0
    return min(max(claimed, 0), video.stat().st_size // _MIN_FRAME_BYTES)


def decode(video: Path) -> Iterator[Frame | BadFrame]:
    """The frames in order, numbered from 1; none if the file cannot be opened."""
    shape: tuple[int, ...] | None = None
    for number, image in enumerate(_images(video) if video.is_dir() else _video(video), 1):
        if isinstance(image, str):
            yield BadFrame(number, image)
        elif shape is not None and image.shape != shape:
            yield BadFrame(number, OTHER_SIZE)
        else:
            shape = image.shape
            yield Frame(number, image)


def _video(path: Path) -> Iterator[NDArray[np.uint8] | str]:
    """The image of each frame, or the reason why it has none."""
    if not path.is_file():
        return
    try:
        with _opened(path) as container:
            times = _times(container)
        with _opened(path) as container:
            yield from _in_order(_decoded_frames(container), times)
    except (av.error.FFmpegError, OSError, IndexError):
        return  # what the header claims beyond this is missing


def _opened(path: Path) -> InputContainer:
    return av.open(str(path), metadata_errors="ignore")  # a title that is no UTF-8 is no reason to refuse a video


def _times(container: InputContainer) -> list[int]:
    """The times of all frames in order, by the container; empty if it does not give each frame a time of its own."""
    times = [packet.pts for packet in _packets(container)]
    known = sorted(time for time in times if time is not None)
    return known if len(set(known)) == len(times) else []


def _packets(container: InputContainer) -> Iterator["Packet[VideoStream]"]:
    """The packets of the video, up to the first place that cannot be read."""
    with suppress(av.error.FFmpegError):
        yield from (packet for packet in container.demux(container.streams.video[0]) if packet.size)


def _decoded_frames(container: InputContainer) -> Iterator[tuple[int | None, NDArray[np.uint8] | str]]:
    """The time and the image of each frame that the decoder gives; without a time where it gives none for a packet.

    A frame is damaged if the decoder reports an error in it, and so are those after it until one that needs no other.
    """
    stream = container.streams.video[0]
    if stream.codec_context is None:
        return  # no known codec
    # One thread, so that an error belongs to the packet at which it is raised. Without `explode` MJPEG's errors are not told.
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"err_detect": "explode"}
    reformatter = VideoReformatter()  # a new one for each frame takes longer than decoding
    damaged = False
    for packet in chain(_packets(container), [None]):  # None: what the decoder still holds
        try:
            frames = stream.codec_context.decode(packet)
        except av.error.FFmpegError:
            damaged = True
            yield None, UNDECODABLE
            continue
        for frame in frames:
            damaged = frame.is_corrupt or (damaged and not frame.key_frame)
            yield frame.pts, DAMAGED if damaged else _image(frame, reformatter)


def _in_order(
    frames: Iterable[tuple[int | None, NDArray[np.uint8] | str]], times: list[int]
) -> Iterator[NDArray[np.uint8] | str]:
    """One item for each of the times, with a reason where no frame has this time; without times every item as it comes."""
    if not times:
        yield from (found for _, found in frames)
        return
    numbers, done = {time: number for number, time in enumerate(times)}, 0
    for time, found in frames:
        number = numbers.get(time, -1) if time is not None else -1
        if number >= done:
            yield from [UNDECODABLE] * (number - done)
            yield found
            done = number + 1
    yield from [UNDECODABLE] * (len(times) - done)


def _image(frame: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """[height, width, 3] uint8 BGR, turned as the video's metadata says."""
    # The interpolation of colour that OpenCV uses.
    plain = reformatter.reformat(frame, format="bgr24", interpolation=Interpolation.BICUBIC)
    image = np.asarray(plain.to_ndarray(), np.uint8)
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _images(folder: Path) -> Iterator[NDArray[np.uint8] | str]:
    for path in _pictures(folder):
        yield _picture(path)


def _picture(path: Path) -> NDArray[np.uint8] | str:
    if not path.is_file():
        return UNDECODABLE
    try:
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error):  # it cannot be read, or its header claims more pixels than OpenCV takes
        return UNDECODABLE
    if image is None:
        return UNDECODABLE
    # OpenCV fills what is missing of a JPEG or PNG file with one colour.
    ends = [end for start, end in _ENDS.items() if content[: len(start)].tobytes() == start]
    return DAMAGED if ends and ends[0] not in content[-_TAIL:].tobytes() else np.asarray(image, np.uint8)


def _pictures(folder: Path) -> list[Path]:
    """The images of a folder, by number if all names are numbers (9.png before 10.png), else by name."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES]
    if all(path.stem.isdecimal() for path in found):
        return sorted(found, key=lambda path: (int(path.stem), path.name))
    return sorted(found)

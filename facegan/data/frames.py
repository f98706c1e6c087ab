"""The frames of a video or of a folder of images, each decoded or with the reason why not; none is passed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.sources import IMAGES

_LEAST_BYTES = 16
"""A frame takes at least as many bytes of its file: a damaged header may claim thousands of millions of frames."""
UNREADABLE = "video missing or unreadable"
ENDED = "video ends before this frame"
UNDECODABLE = "frame cannot be decoded"
OTHER_SIZE = "frame has another size than the first"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: number in its clip from 1, image [height, width, 3] uint8 BGR."""

    number: int
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that cannot be used, and why; number 0 stands for a clip that shows no frame at all."""

    number: int
    reason: str


def claimed_frames(video: Path) -> int:
    """How many frames the file's header or the folder's listing claims; 0 where neither can be read."""
    if video.is_dir():
        return len(_pictures(video))
    capture = cv2.VideoCapture(str(video))
    try:
        claimed = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()
    return min(max(claimed, 0), video.stat().st_size // _LEAST_BYTES) if claimed else 0


def decode(video: Path) -> Iterator[Frame | BadFrame]:
    """The frames in order, numbered from 1; nothing for a file that cannot be opened."""
    shape: tuple[int, ...] | None = None
    for number, image in enumerate(_images(video) if video.is_dir() else _video(video), 1):
        if image is None:
            yield BadFrame(number, UNDECODABLE)
        elif shape is not None and image.shape != shape:
            yield BadFrame(number, OTHER_SIZE)
        else:
            shape = image.shape
            yield Frame(number, image)


def _video(path: Path) -> Iterator[NDArray[np.uint8] | None]:
    # The decoder has threads of its own, which setNumThreads does not know: as many as OpenCV may use, so one in a task.
    capture = cv2.VideoCapture(str(path), cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, cv2.getNumThreads()])
    try:
        while capture.isOpened() and capture.grab():
            ok, image = capture.retrieve()
            yield np.asarray(image, np.uint8) if ok else None
    finally:
        capture.release()


def _images(folder: Path) -> Iterator[NDArray[np.uint8] | None]:
    for path in _pictures(folder):
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
        yield None if image is None else np.asarray(image, np.uint8)


def _pictures(folder: Path) -> list[Path]:
    """By number where all names are numbers (9.png before 10.png), else by name."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES]
    if all(path.stem.isdecimal() for path in found):
        return sorted(found, key=lambda path: (int(path.stem), path.name))
    return sorted(found)

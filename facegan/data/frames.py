"""The frames of a video or of a folder of images, each decoded or with the reason why it cannot be."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.sources import IMAGES

_MIN_FRAME_BYTES = 16
"""A frame takes at least this many bytes of its file; a damaged header may claim billions of frames."""
UNREADABLE = "video missing or unreadable"
ENDED = "video ends before this frame"
UNDECODABLE = "frame cannot be decoded"
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
    capture = cv2.VideoCapture(str(video))
    try:
        claimed = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()
    return min(max(claimed, 0), video.stat().st_size // _MIN_FRAME_BYTES) if claimed else 0


def decode(video: Path) -> Iterator[Frame | BadFrame]:
    """The frames in order, numbered from 1; none if the file cannot be opened."""
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
    # cv2.setNumThreads does not limit the threads of the decoder, so it is given the same number here.
    capture = cv2.VideoCapture(str(path), cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, cv2.getNumThreads()])
    try:
        while capture.isOpened() and capture.grab():
            ok, image = capture.retrieve()
            yield np.asarray(image, np.uint8) if ok else None
    finally:
        capture.release()


def _images(folder: Path) -> Iterator[NDArray[np.uint8] | None]:
    for path in _pictures(folder):
        yield _decoded(path)


def _decoded(path: Path) -> NDArray[np.uint8] | None:
    try:
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error):  # it cannot be read, or its header claims more pixels than OpenCV takes
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _pictures(folder: Path) -> list[Path]:
    """The images of a folder, by number if all names are numbers (9.png before 10.png), else by name."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES]
    if all(path.stem.isdecimal() for path in found):
        return sorted(found, key=lambda path: (int(path.stem), path.name))
    return sorted(found)

"""Write an MP4 file: H.264 at a constant frame rate, the sound of a clip, and a comment that says what it is."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from facegan.errors import UserError
from facegan.reenact.audio import Audio

LARGEST_SIDE = 16384
"""Pixels, of H.264's encoder."""
_QUALITY = {"crf": "18", "preset": "medium"}


class VideoFile:
    """A video that frames are written to, one after the other. Use it in a `with` block: leaving it completes the file.

    `width` and `height` in pixels are even. `sound` is the clip whose audio is kept, until the end of the video; None: none.
    """

    def __init__(
        self, path: Path, width: int, height: int, rate: Fraction, *, title: str, comment: str, sound: Path | None
    ) -> None:
        if max(width, height) > LARGEST_SIDE:
            raise UserError(
                f"the video would be {width} x {height} pixels, at most {LARGEST_SIDE}; give less --height or --arms"
            )
        assert width % 2 == 0 and height % 2 == 0, f"{width} x {height}: H.264 halves the colours"
        self.frames, self._rate, self._size = 0, rate, (height, width, 3)
        # FFmpeg cannot guess the format by a temporary path. The index comes first, for players on the web.
        self._container = av.open(str(path), "w", format="mp4", container_options={"movflags": "+faststart"})
        self._container.metadata.update({"title": title, "comment": comment})
        self._stream = self._container.add_stream("libx264", rate=rate, options=_QUALITY)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.codec_context.time_base = 1 / rate
        self.audio = Audio(sound, self._container)

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Add a frame [height, width, 3] RGB."""
        assert picture.shape == self._size and picture.dtype == np.uint8, (picture.shape, self._size)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        # The matrix and range that players assume where a file says nothing.
        frame = frame.reformat(format="yuv420p", interpolation=Interpolation.BICUBIC)
        frame.pts, frame.time_base = self.frames, 1 / self._rate
        self.frames += 1
        self._container.mux(self._stream.encode(frame))
        self.audio.write_until(float(self.frames / self._rate))

    def __enter__(self) -> "VideoFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self.audio.close()
            self._container.close()

"""Rendered clips with sound, and readers of written videos, for tests of reenactment."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.clips import ClipJob, film, format_points

TONE = 440.0
"""Hz, of the sound in `write_clip_with_tone`."""


def rendered_frames(number: int, frames: int, side: int = 160) -> list[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """BGR pictures of a rendered person with their landmarks [68, 2]."""
    return [(picture, points) for picture, points in film(ClipJob(Path(), number, 5, frames, side))]


def write_annotated_clip(folder: Path, number: int, frames: int, *, without: tuple[int, ...] = ()) -> Path:
    """A rendered clip in the 300VW layout; frames `without`, which count from 1, have no .pts file."""
    (folder / "annot").mkdir(parents=True)
    drawn = rendered_frames(number, frames)
    height, width = drawn[0][0].shape[:2]
    video = cv2.VideoWriter(str(folder / "vid.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (width, height))
    for index, (picture, points) in enumerate(drawn, start=1):
        video.write(picture)
        if index not in without:
            (folder / "annot" / f"{index:06d}.pts").write_text(format_points(points))
    video.release()
    return folder


def write_clip_with_tone(
    path: Path, frames: int, rate: Fraction, codec: str, sound: str, samples: int = 44100, begin: int = 0
) -> Path:
    """A video of grey frames with a tone of TONE Hz as long as the video; both begin at the second `begin`."""
    with av.open(str(path), "w") as container:
        video, audio = container.add_stream(codec, rate=rate), container.add_stream(sound, rate=samples)
        assert isinstance(video, av.VideoStream) and isinstance(audio, av.AudioStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        audio.codec_context.layout = "mono"
        for number in range(frames):
            picture = np.full((48, 64, 3), 4 * number % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number + round(begin * rate), 1 / rate
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        time = np.arange(round(samples * frames / rate)) / samples
        wave = (0.5 * np.sin(2 * np.pi * TONE * time)).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = samples, begin * samples, Fraction(1, samples)
        container.mux(audio.encode(heard))
        container.mux(audio.encode(None))
    return path


def read_pictures(path: Path) -> list[NDArray[np.uint8]]:
    """All frames [height, width, 3] RGB of a video."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def read_sound(path: Path) -> tuple[NDArray[np.float32], int]:
    """The samples of the first channel of a video's sound, and their rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray().reshape(-1, frame.samples)[0] for frame in frames]), frames[0].sample_rate


def loudest(sound: NDArray[np.float32], rate: int) -> float:
    """The frequency, in Hz, that a sound has most of."""
    return float(np.abs(np.fft.rfft(sound)).argmax() * rate / len(sound))

"""The mp4 file, read again with FFmpeg."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from facegan.errors import UserError
from facegan.reenact.video import VideoFile
from tests.facegan.reenact.clips import TONE, loudest, read_pictures, read_sound, write_clip_with_tone
from tests.known import known

COMMENT = "Faces drawn by networks; “-Cons.” ünsigned"


def write(path: Path, frames: int, rate: Fraction = Fraction(25), sound: Path | None = None) -> VideoFile:
    """A video of grey frames, each 4 levels lighter than the one before."""
    with VideoFile(path, 64, 48, rate, title="title", comment=COMMENT, sound=sound) as video:
        for number in range(frames):
            video.write(np.full((48, 64, 3), (20 + 4 * number) % 256, np.uint8))
    return video


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(12), Fraction(2997, 125)])
def test_frames_rate_pixels_and_metadata_are_what_was_written(rate: Fraction, tmp_path: Path) -> None:
    file = tmp_path / "video.12.partial"
    write(file, 31, rate)
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == rate and stream.frames == 31 and not container.streams.audio
        assert container.metadata["comment"] == COMMENT and container.metadata["title"] == "title"
    assert file.read_bytes().index(b"moov") < file.read_bytes().index(b"mdat"), "a player on the web starts at once"
    pictures = read_pictures(file)
    assert [abs(float(picture.mean()) - (20 + 4 * number)) < 2 for number, picture in enumerate(pictures)] == [True] * 31


@pytest.mark.parametrize(
    ("name", "codec", "sound", "how"),
    [
        ("clip.mp4", "libx264", "aac", "aac, copied"),
        ("clip.mkv", "libx264", "libmp3lame", "mp3, copied"),
        ("clip.avi", "mjpeg", "pcm_s16le", "pcm_s16le, encoded as AAC"),
        ("clip.mkv", "libx264", "libopus", "opus, encoded as AAC"),
    ],
)
def test_the_sound_of_a_clip_is_kept(name: str, codec: str, sound: str, how: str, tmp_path: Path) -> None:
    samples = 48000 if sound == "libopus" else 44100
    clip = write_clip_with_tone(tmp_path / name, 50, Fraction(25), codec, sound, samples)
    video = write(tmp_path / "video.mp4", 50, sound=clip)
    heard, rate = read_sound(tmp_path / "video.mp4")
    assert (video.audio.how, video.audio.damaged) == (how, 0)
    assert loudest(heard, rate) == pytest.approx(TONE, abs=2)
    assert len(heard) / rate == pytest.approx(2.0, abs=0.06) and np.abs(heard).max() > 0.3
    assert np.abs(heard[: round(0.1 * rate)]).max() > 0.3, "it begins with the first frame"


def test_the_sound_ends_with_the_video(tmp_path: Path) -> None:
    clip = write_clip_with_tone(tmp_path / "clip.mp4", 100, Fraction(25), "libx264", "aac")
    write(tmp_path / "video.mp4", 30, sound=clip)
    heard, rate = read_sound(tmp_path / "video.mp4")
    assert len(heard) / rate == pytest.approx(1.2, abs=0.06)


def test_pictures_and_sound_lie_side_by_side_in_the_file(tmp_path: Path) -> None:
    """Longer than FFmpeg would wait for a stream, 10 s."""
    clip = write_clip_with_tone(tmp_path / "clip.mp4", 400, Fraction(25), "libx264", "aac")
    write(tmp_path / "video.mp4", 400, sound=clip)
    with av.open(str(tmp_path / "video.mp4")) as container:
        times = [float(p.dts * p.time_base) for p in container.demux() if p.size and p.dts is not None]
    assert max(before - after for before, after in pairwise(times)) < 0.5


@pytest.mark.parametrize("sound", ["aac", "flac"])
def test_the_sound_of_a_clip_that_begins_late_begins_with_its_first_frame(sound: str, tmp_path: Path) -> None:
    clip = write_clip_with_tone(tmp_path / "clip.mkv", 50, Fraction(25), "libx264", sound, begin=3)
    write(tmp_path / "video.mp4", 50, sound=clip)
    heard, rate = read_sound(tmp_path / "video.mp4")
    assert len(heard) / rate == pytest.approx(2.0, abs=0.06) and np.abs(heard[: round(0.1 * rate)]).max() > 0.3
    with av.open(str(tmp_path / "video.mp4")) as container:
        stream = container.streams.audio[0]
        assert abs((stream.start_time or 0) * known(stream.time_base)) < 0.05


def test_a_copied_sound_is_not_encoded_again(tmp_path: Path) -> None:
    clip = write_clip_with_tone(tmp_path / "clip.mp4", 50, Fraction(25), "libx264", "aac")
    write(tmp_path / "video.mp4", 50, sound=clip)
    packets = []
    for file in (clip, tmp_path / "video.mp4"):
        with av.open(str(file)) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert len(packets[1]) > 80 and packets[1] == packets[0][: len(packets[1])]


def test_a_clip_without_sound_gives_a_video_without(tmp_path: Path) -> None:
    write(tmp_path / "silent.mp4", 10)
    assert write(tmp_path / "video.mp4", 10, sound=tmp_path / "silent.mp4").audio.how == ""
    with av.open(str(tmp_path / "video.mp4")) as container:
        assert not container.streams.audio


def test_a_video_that_is_too_wide_for_the_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"20000 x 64 pixels, at most 16384; give less --height or --arms"):
        VideoFile(tmp_path / "video.mp4", 20000, 64, Fraction(25), title="", comment="", sound=None)
    assert not list(tmp_path.iterdir())

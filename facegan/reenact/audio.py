"""The sound of the driving clip, copied into a new video as it is where MP4 players take it, else encoded as AAC."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

Sound = tuple[float, "Packet[AudioStream]"]
"""A packet, and the second of the new video at which it is heard."""
_COPIED = ("aac", "mp3")
"""Codecs that every player of MP4 files knows."""
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_OTHER_RATE = 48000


class Audio:
    """The first audio stream of a clip on its way into another file, in small pieces, so that both streams stay together.

    `how` says what is done with it, '' if the clip has none; `damaged` counts packets that could not be read or decoded.
    """

    def __init__(self, clip: Path | None, into: OutputContainer) -> None:
        self.how, self.damaged = "", 0
        self._into = into
        self._input: InputContainer | None = None
        if clip is None:
            return
        self._input = av.open(str(clip), metadata_errors="ignore")
        streams = [stream for stream in self._input.streams.audio if stream.codec_context is not None]
        if not streams:
            self.close()
            return
        self._start = _start_of_video(self._input)
        # The name of the codec, not that of one of its decoders, such as mp3float.
        codec = streams[0].codec_context.codec.canonical_name
        if codec in _COPIED:
            self.how = f"{codec}, copied"
            packets = self._copied(streams[0], into.add_stream_from_template(streams[0]))
        else:
            self.how = f"{codec}, encoded as AAC"
            packets = self._encoded(streams[0], _new_stream(streams[0], into))
        self._packets = packets
        self._next: Sound | None = None

    def write_until(self, seconds: float) -> None:
        """Write what is to be heard before this time of the video."""
        while self._input is not None:
            self._next = self._next or next(self._packets, None)
            if self._next is None:
                self.close()
            elif self._next[0] >= seconds:
                return
            else:
                self._into.mux(self._next[1])
                self._next = None

    def close(self) -> None:
        """Close the clip; what has not been written is left out."""
        if self._input is not None:
            self._input.close()
        self._input = None

    def _copied(self, stream: AudioStream, new: AudioStream) -> Iterator[Sound]:
        for packet in self._demuxed(stream):
            base = packet.time_base
            shift = round(self._start / base)
            packet.pts = packet.pts - shift if packet.pts is not None else None
            packet.dts = packet.dts - shift if packet.dts is not None else None
            packet.stream = new
            yield float((packet.dts or 0) * base), packet

    def _encoded(self, stream: AudioStream, new: AudioStream) -> Iterator[Sound]:
        shift = None
        for packet in chain(self._demuxed(stream), [None]):  # None: what the decoder still holds
            try:
                frames = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if shift is None:
                    shift = round(self._start / (frame.time_base or stream.time_base or Fraction(1, frame.sample_rate)))
                frame.pts = frame.pts - shift if frame.pts is not None else None
                yield from _timed(new.encode(frame))
        yield from _timed(new.encode(None))

    def _demuxed(self, stream: AudioStream) -> Iterator["Packet[AudioStream]"]:
        """The packets of the stream up to the first place that cannot be read."""
        assert self._input is not None
        try:
            yield from (packet for packet in self._input.demux(stream) if packet.size)
        except av.error.FFmpegError:
            self.damaged += 1


def _new_stream(stream: AudioStream, into: OutputContainer) -> AudioStream:
    rate = stream.codec_context.sample_rate
    new = into.add_stream("aac", rate=rate if rate in _AAC_RATES else _OTHER_RATE)
    new.codec_context.layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
    return new


def _start_of_video(container: InputContainer) -> Fraction:
    """The time of the first frame, in seconds, which is 0 in the new video."""
    stream = container.streams.video[0]
    return Fraction(stream.start_time or 0) * (stream.time_base or 0)


def _timed(packets: list["Packet[AudioStream]"]) -> Iterator[Sound]:
    for packet in packets:
        yield float((packet.dts or 0) * packet.time_base), packet

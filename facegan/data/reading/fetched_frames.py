"""The frames of a data set of which this machine holds a part: a clip is fetched when a row of it is read or expected."""

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegan.data.reading.clip_cache import ClipCache
from facegan.data.reading.clip_files import FETCHES
from facegan.data.versions.manifest import Manifest
from facegan.landmarks.points import POINTS

_AHEAD = (16, 64)
"""Samples whose clips are fetched ahead, at least and at most; between them as many as take a quarter of the cache's limit."""
_CLIPS_OPEN, _BATCHES_OPEN = 32, 4
"""So many clips stay open, or the clips of so many batches, beside those fetched ahead: no clip is fetched twice for a batch.
They take space on the disk even if the cache has removed them meanwhile."""


class FetchedFrames:
    """Images, landmarks and frame numbers by row, through a cache of clips.

    `points` [rows, 68, 2] are landmarks in crop pixels, `frame` [rows] the frame numbers of the source, `boxes` [rows, 3] left,
    top and side of the crops in its pixels, `ahead` the number of samples that a reader should `expect` before it reads them.
    Reading a row raises UserError if its clip is missing on storage or is not what was ingested.
    """

    def __init__(self, manifest: Manifest, cache: ClipCache) -> None:
        self._clips, self._cache = manifest.clips, cache
        self._first = np.concatenate([[0], np.cumsum(manifest.clips.numbers("rows"))])
        sizes = manifest.clips.numbers("file_bytes")
        least, most = _AHEAD
        self.ahead = min(most, max(least, int(cache.limit / 4 / (sizes.sum() / np.count_nonzero(sizes)))))
        self._most_open = self.ahead + _CLIPS_OPEN
        self._pool = ThreadPoolExecutor(FETCHES, "clips")
        self._coming: dict[int, Future[Any]] = {}
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()
        self.points = FetchedColumn(self, "landmarks", (POINTS, 2), np.float32)
        self.frame = FetchedColumn(self, "frame", (), np.int32)
        self.boxes = FetchedColumn(self, "crop_box", (3,), np.int32)

    def __len__(self) -> int:
        return int(self._first[-1])

    def encoded(self, row: int) -> NDArray[np.uint8]:
        """The image of a row as it is stored: the bytes of a JPEG or PNG file, [bytes] uint8."""
        clip = int(self.clips_of(np.array([row]))[0])
        return np.frombuffer(self._table(clip).column("image")[int(row - self._first[clip])].as_buffer(), np.uint8)

    def clips_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n]: the position among the clips of the clip of each row [n]."""
        return np.asarray(np.searchsorted(self._first, rows, side="right") - 1)

    def column(self, clip: int, rows: NDArray[np.int64], column: str) -> Any:
        """An Arrow array with the values of a column in some rows of a clip."""
        return self._table(clip).column(column).take(pa.array(rows - self._first[clip])).combine_chunks()

    def expect(self, rows: NDArray[np.int64]) -> None:
        """Begin to fetch the clips of some rows that will be read soon."""
        clips = np.unique(self.clips_of(rows))
        self._most_open = max(self._most_open, self.ahead + _BATCHES_OPEN * len(clips))
        self.expect_clips(clips)

    def expect_clips(self, clips: NDArray[np.int64]) -> None:
        """Begin to fetch some clips, which are given by position."""
        with self._lock:
            for clip in (int(clip) for clip in clips):
                if clip in self._open:
                    self._open.move_to_end(clip)
                elif clip not in self._coming:
                    self._coming[clip] = self._pool.submit(self._arrived, clip)

    def _arrived(self, clip: int) -> Any:
        try:
            return self._opened(clip)
        finally:
            with self._lock:
                del self._coming[clip]

    def _table(self, clip: int) -> Any:
        with self._lock:
            found = self._open.get(clip)
            if found is not None:
                self._open.move_to_end(clip)
                return found
            coming = self._coming.get(clip)
        return coming.result() if coming else self._opened(clip)

    def _opened(self, clip: int) -> Any:
        found = self._cache.table(self._clips[clip])
        with self._lock:
            self._open[clip] = found
            self._open.move_to_end(clip)
            while len(self._open) > self._most_open:
                self._open.popitem(last=False)
        return found


class FetchedColumn:
    """A column of numbers, indexed by rows like an array. As an array it fetches the whole data set."""

    def __init__(self, frames: FetchedFrames, column: str, shape: tuple[int, ...], kind: type[np.generic]) -> None:
        self._frames, self._column, self._shape, self._kind = frames, column, shape, kind

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        chosen = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        flat = chosen.ravel()
        if chosen.dtype == np.bool_ or (len(flat) and not 0 <= flat.min() <= flat.max() < len(self)):
            raise IndexError(f"{rows!r}: rows from 0 to {len(self) - 1}")
        found = np.empty((len(flat), *self._shape), self._kind)
        clips = self._frames.clips_of(flat)
        order = np.argsort(clips, kind="stable")
        needed, starts = np.unique(clips[order], return_index=True)
        for number, (clip, places) in enumerate(zip(needed, np.split(order, starts[1:]), strict=False)):
            self._frames.expect_clips(needed[number : number + FETCHES])
            values = self._frames.column(int(clip), flat[places], self._column)
            found[places] = (values.flatten() if self._shape else values).to_numpy().reshape(-1, *self._shape)
        return found.reshape(chosen.shape + self._shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

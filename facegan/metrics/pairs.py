"""Which pairs of frames are judged, and what a generator makes of them. Equal in every arm, seed and study of a data set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.config import Config, UserError
from facegan.data.triplets import FaceData
from facegan.landmarks import landmark_input
from facegan.nets.generator import Generator
from facegan.step import to_signed

Images = NDArray[np.uint8]
"""[n, size, size, 3] RGB."""

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Pairs:
    """Source and target rows of each pair, [n], and the clip that both come from."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    clip: list[str]

    def __len__(self) -> int:
        return len(self.clip)


def choose_pairs(data: FaceData, part: str, config: Config, per_clip: int) -> Pairs:
    """`per_clip` pairs of different frames of each clip of a part of the data, drawn by the clip's place alone."""
    clips = data.clips(part, config.data.validation_fraction)
    source, target, names = [], [], []
    for place, (clip, rows) in enumerate(clips.items()):
        if len(rows) < 2:
            continue
        rng = np.random.default_rng([300, place])
        for _ in range(per_clip):
            a, b = rng.choice(rows, size=2, replace=False)
            source.append(a)
            target.append(b)
            names.append(clip)
    if not names:
        raise UserError(f"--data has no {part} clip with two frames or more, so nothing can be judged there")
    return Pairs(np.array(source), np.array(target), names)


def images_of(data: FaceData, rows: NDArray[np.int64]) -> Images:
    """The frames of some rows."""
    return np.stack([data.image(row) for row in rows])


def drawer(generator: Generator, config: Config, device: torch.device) -> Callable[[Images, NDArray[np.float32]], Images]:
    """A function from source images and target points [n, 68, 2] to generated images, rounded to 8 bits."""

    @torch.no_grad()
    def draw(sources: Images, points: NDArray[np.float32]) -> Images:
        chunks = []
        for start in range(0, len(sources), _BATCH):
            image = torch.from_numpy(sources[start : start + _BATCH]).to(device).permute(0, 3, 1, 2)
            where = torch.from_numpy(points[start : start + _BATCH]).to(device)
            out = generator(to_signed(image), landmark_input(where, config.data.size, config.model))
            chunks.append(((out.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(chunks)

    return draw

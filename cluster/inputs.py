"""From what the user named to a data set: a folder in the 300VW layout, a data set, or nothing (synthetic people)."""

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.ingest import ingest
from facegan.config import Config, UserError
from facegan.data.shards import IngestConfig, manifest_hash, read_manifest
from facegan.data.synthetic import GENERATOR_VERSION, is_synthetic, write_synthetic
from facegan.data.triplets import FaceData, training_clips
from facegan.data.vw300 import find_clips
from facegan.metrics.pairs import choose_pairs

HOME = Path("data")


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticConfig:
    """The rendered stand-in for 300VW, used where no source and no data set is named."""

    people: int = 80
    """Identities to train on, a clip each."""
    test_people: int = 12
    """Identities to judge on."""
    frames: int = 24
    """Frames of a clip."""
    side: int = 160
    """Height of the rendered video, pixels."""
    seed: int = 0
    """Seed of identities and motion."""

    def __post_init__(self) -> None:
        for name, least in (("people", 2), ("test_people", 1), ("frames", 3), ("side", 64)):
            if getattr(self, name) < least:
                raise UserError(f"synthetic.{name} is {getattr(self, name)}: at least {least}")


def check_local(name: str, uri: str) -> Path:
    """The folder that a URI names; object storage is refused until ingest can publish to it."""
    if "://" in uri and not uri.startswith("file://"):
        raise UserError(f"{name} is {uri!r}: only folders are served so far; mount the bucket or copy it to a folder")
    return Path(uri.removeprefix("file://"))


def check_source(source: str) -> None:
    """Refuse a folder that is not in the 300VW layout, before anything starts."""
    if not source:
        return
    splits = {clip.split for clip in find_clips(check_local("--source", source))}
    for split in ("train", "test"):
        if split not in splits:
            raise UserError(f"--source is {source!r}: it has no {split} clip, and a study needs people for both")


def prepare_data(source: str, data: str, synthetic: SyntheticConfig, config: Config) -> Path:
    """The folder of a data set ready to train on: found, ingested, or rendered and ingested."""
    if data and not source:
        return _usable(check_local("--data", data), config)
    clips = check_local("--source", source) if source else render(synthetic)
    how = IngestConfig(size=config.data.size)
    folder = check_local("--data", data) if data else HOME / _name(clips, how)
    ingest(clips, folder, how)
    return _usable(folder, config)


def _usable(folder: Path, config: Config) -> Path:
    """The folder, once it is known to hold people to train on and others to judge on."""
    data = FaceData(folder)
    training_clips(data, config)
    choose_pairs(data, "test", config, per_clip=1)
    return folder


def render(synthetic: SyntheticConfig) -> Path:
    """The folder of the synthetic clips, rendered unless they are there."""
    s = synthetic
    folder = HOME / f"synthetic-v{GENERATOR_VERSION}-{s.people}+{s.test_people}x{s.frames}-{s.side}px-seed{s.seed}"
    if is_synthetic(folder):
        return folder
    print(f"render   {s.people + s.test_people} synthetic people, {s.frames} frames each, into {folder}", flush=True)
    write_synthetic(
        folder, people=s.people, test_people=s.test_people, frames=s.frames, size=s.side, seed=s.seed, on_clip=_say_clip
    )
    return folder


def _say_clip(done: int, clips: int) -> None:
    if done % 20 == 0 or done == clips:
        print(f"render   {done}/{clips} clips", flush=True)


def _name(clips: Path, how: IngestConfig) -> str:
    digest = hashlib.sha256(repr((os.path.realpath(clips), asdict(how))).encode()).hexdigest()[:8]
    return f"{clips.resolve().name}-{how.size}px-{digest}"


def describe_data(folder: Path) -> dict[str, Any]:
    """What a plan says of its data."""
    manifest = read_manifest(folder)
    return {
        "folder": str(folder.resolve()),
        "sha256": manifest_hash(manifest),
        "synthetic": manifest["synthetic"],
        "rows": manifest["rows"],
        "left_out": manifest["left_out"],
    }

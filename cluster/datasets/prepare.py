"""From what the user named to a data set: a folder in the 300VW layout, a data set, or nothing (synthetic people)."""

import hashlib
from dataclasses import asdict
from pathlib import Path

from cluster.datasets.dataset import DataSet, check_image_size, existing
from cluster.datasets.ingest import IngestRequest, ingest
from cluster.storage.uri import StorageURI, storage_uri
from facegan.config import Config
from facegan.data.ingest_config import IngestConfig
from facegan.data.sampling import training_clips
from facegan.metrics.pairs import choose_pairs
from facegan.study.design.plan import PlannedData
from facegan.synthetic.clips import GENERATOR_VERSION, is_synthetic, write_synthetic
from facegan.synthetic.config import SyntheticConfig

HOME = Path("data")


def prepare_data(source: str, data: str, synthetic: SyntheticConfig, config: Config) -> DataSet:
    """A data set ready to train on: found, ingested, or rendered and ingested."""
    if data and not source:
        return _usable(existing(storage_uri("--data", data)), config)
    clips = storage_uri("--source", source) if source else storage_uri("--source", str(render(synthetic)))
    how = IngestConfig(size=config.data.size)
    where = storage_uri("--data", data or str(HOME / _name(clips, how)))
    return _usable(ingest(clips, where, IngestRequest(config=how)), config)


def _usable(found: DataSet, config: Config) -> DataSet:
    """The data set, once it is known to hold people to train on and others to judge on."""
    check_image_size(found.manifest(), config)
    data = found.open()
    training_clips(data, config)
    choose_pairs(data, "test", config, per_clip=1)
    return found


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


def _name(source: StorageURI, how: IngestConfig) -> str:
    digest = hashlib.sha256(repr((source.uri, asdict(how))).encode()).hexdigest()[:8]
    return f"{source.uri.rpartition('/')[2]}-{how.size}px-{digest}"


def describe_data(data: DataSet) -> PlannedData:
    """What a plan says of its data."""
    manifest = data.manifest()
    return PlannedData(
        uri=data.uri,
        version=data.version,
        sha256=data.sha256,
        synthetic=manifest.synthetic,
        rows=manifest.rows,
        quarantined=manifest.quarantined,
    )

"""From the flags of a job to a data set: an existing one, one ingested from clips, or one of rendered people.

Modules that import torch, Ray or OpenCV are imported inside functions: a wrong flag must be refused within two seconds.
"""

import hashlib
from dataclasses import asdict
from pathlib import Path

from cluster.datasets.dataset import DataSet, check_image_size, existing
from cluster.datasets.ingest_request import IngestRequest
from cluster.storage.uri import StorageURI, storage_uri
from facegan.config import Config
from facegan.data.versions.manifest import SCHEMA_VERSION
from facegan.study.design.plan import PlannedData
from facegan.synthetic.config import GENERATOR_VERSION, SyntheticConfig, is_synthetic

HOME = Path("data")
"""Folder for rendered clips and for data sets that no flag gives a location."""


def prepare_data(source: str, data: str, synthetic: SyntheticConfig, request: IngestRequest) -> DataSet:
    """The data set that a job trains on; `check_usable` says whether it fits the configuration.

    With `data` alone the data set there; with `source` the data set ingested from it, at `data` or in a folder of its own;
    with neither, rendered people. `request` says how to make it.
    """
    if data and not source:
        return existing(storage_uri("--data", data))
    from cluster.datasets.ingest import ingest

    place = place_of_data(source, data, synthetic, request)
    return ingest(storage_uri("--source", source or str(render(synthetic))), place, request)


def place_of_data(source: str, data: str, synthetic: SyntheticConfig, request: IngestRequest) -> StorageURI:
    """Where the data set of `prepare_data` is, or will be once it is made."""
    if data:
        return storage_uri("--data", data)
    clips = storage_uri("--source", source or str(_rendered(synthetic)))
    # Another schema gets another place, so that a new version of this program does not meet data that it cannot read.
    made_by = (clips.uri, asdict(request.config), SCHEMA_VERSION)
    digest = hashlib.sha256(repr(made_by).encode()).hexdigest()[:8]
    return storage_uri("--data", str(HOME / f"{clips.uri.rpartition('/')[2]}-{request.config.size}px-{digest}"))


def check_usable(found: DataSet, config: Config) -> None:
    """Raise UserError unless a data set has the right size, people to train on and people to evaluate on. Imports torch."""
    from facegan.data.reading.sampling import training_clips
    from facegan.metrics.pairs import choose_pairs

    check_image_size(found.manifest(), config)
    data = found.open()
    training_clips(data, config)
    choose_pairs(data, "test", config, per_clip=1)


def render(synthetic: SyntheticConfig) -> Path:
    """The folder of the synthetic clips; they are rendered unless a complete set is there."""
    s, folder = synthetic, _rendered(synthetic)
    if is_synthetic(folder):
        return folder
    from facegan.synthetic.clips import write_synthetic

    def show(done: int, clips: int) -> None:
        if done % 20 == 0 or done == clips:
            print(f"render   {done}/{clips} clips", flush=True)

    print(f"render   {s.people + s.test_people} synthetic people, {s.frames} frames each, into {folder}", flush=True)
    write_synthetic(folder, people=s.people, test_people=s.test_people, frames=s.frames, size=s.side, seed=s.seed, on_clip=show)
    return folder


def _rendered(s: SyntheticConfig) -> Path:
    return HOME / f"synthetic-v{GENERATOR_VERSION}-{s.people}+{s.test_people}x{s.frames}-{s.side}px-seed{s.seed}"


def describe_data(data: DataSet) -> PlannedData:
    """The facts about a data set that a study's plan records."""
    manifest = data.manifest()
    return PlannedData(
        uri=data.uri,
        version=data.version,
        sha256=data.sha256,
        synthetic=manifest.synthetic,
        rows=manifest.rows,
        quarantined=manifest.quarantined,
    )

"""A data set of rendered people whose faces dlib finds in every frame, for tests of what evaluators see."""

from pathlib import Path

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.synthetic.clips import write_synthetic


def write_found_faces(root: Path) -> Path:
    """The folder of a data set of three people to train on and two to evaluate on, six frames each, 32 pixels."""
    clips = root / "clips"
    write_synthetic(clips, people=3, test_people=2, frames=6, size=96, seed=2, workers=1)
    ingest_folder(clips_in(clips), clips, root / "data", IngestConfig(size=32), synthetic=True)
    return root / "data"

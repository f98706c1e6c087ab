"""The flags that all study jobs share, and checks of flags that need neither Ray nor torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from cluster.datasets.dataset import check_image_size, existing
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.source import check_source
from cluster.storage.uri import storage_uri
from cluster.storage.weights import stage_vgg
from cluster.studies.study_store import StudyStore
from facegan.config import SHIPPED_SEEDS, Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.landmarks.finder import CheckName, FinderName
from facegan.nets.vgg_weights import weights_name
from facegan.presets import preset
from facegan.synthetic.config import SyntheticConfig

_INGEST_FLAGS = "--ingest."


@dataclass(frozen=True, kw_only=True)
class StudyIngest:
    """How a job makes a data set from clips, as in jobs/ingest.py. The images have the size data.size."""

    crop_smoothing: float = 10.0
    """Width, in frames, of a Gaussian that smooths the crops over time: 0 (each frame by itself, as in 2019) to 10. Crops that
    move with every frame change the image in ways that landmarks do not explain."""
    crop_scale: float = 2.0
    """Side of the crop, relative to the larger side of the landmarks: 1 to 5."""
    encoding: Literal["jpeg", "png"] = "jpeg"
    """jpeg: small; png: lossless, about five times larger."""
    jpeg_quality: int = 95
    """Quality of the JPEG files: 1 to 100."""
    landmarks: Literal["annotations", FinderName] = "annotations"
    """annotations: from .pts files; otherwise found in the images by this detector."""
    check_landmarks: CheckName = "none"
    """dlib: compare annotations with what this detector sees, about 30 ms a frame, and reject frames that it contradicts."""
    landmark_weights: str = ""
    """Folder or s3://bucket/prefix with face-alignment's two files; by default torch's download folder."""
    max_quarantined: float = 0.2
    """Largest share of rejected frames, and of refused clips, from 0 to 1. Above it the job fails."""
    replace: bool = False
    """Write a new version even if clips have changed or the data set was made with other settings."""
    move_people: bool = False
    """Allow a person of the data set to move between training and test, as the split of --source now says."""

    def request(self, size: int) -> IngestRequest:
        """The request for images of `size` pixels. Raises UserError for a value out of range."""
        try:
            config = IngestConfig(
                size=size,
                crop_smoothing=self.crop_smoothing,
                crop_scale=self.crop_scale,
                encoding=self.encoding,
                jpeg_quality=self.jpeg_quality,
                landmarks=self.landmarks,
                check_landmarks=self.check_landmarks,
            )
        except UserError as mistake:
            raise UserError(f"{_INGEST_FLAGS}{mistake}") from None
        return IngestRequest(
            config=config,
            max_quarantined=self.max_quarantined,
            replace=self.replace,
            move_people=self.move_people,
            landmark_weights=self.landmark_weights,
            flags=_INGEST_FLAGS,
        )


@dataclass(frozen=True, kw_only=True)
class StudyArguments:
    """Input data, the study's location, and the base configuration that the design varies."""

    source: str = ""
    """Video clips to make the data set from: a folder or s3://bucket/prefix in the 300VW layout. Without --source and --data,
    synthetic faces are rendered."""
    data: str = ""
    """Data set made by jobs/ingest.py, or the location to make it from --source: a folder or s3://bucket/prefix."""
    study: str = ""
    """Study folder or s3://bucket/prefix; by default studies/<design>-<preset>-<plan>."""
    preset: str = "demo"
    """Base configuration. demo: minutes on a CPU, from generators that follow already; hour: an hour on a CPU, from random
    weights; study: hours on a GPU; poster: the study of 2019, for GPUs."""
    include_faces: bool = False
    """Embed frames of real people in report.html. The PNG files in the study folder contain them in any case."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    ingest: StudyIngest = field(default_factory=StudyIngest)
    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=lambda: preset("demo"))

    def check(self) -> None:
        """Raise UserError for a location, a data set or weights that cannot be used."""
        self.ingest.request(self.config.data.size)
        check_source(self.source)
        if self.data and not self.source:
            if self.ingest != StudyIngest():
                raise UserError(
                    f"--data is {self.data!r}, without --source: no clips are ingested; leave {_INGEST_FLAGS}.. out"
                )
            check_image_size(existing(storage_uri("--data", self.data)).manifest(), self.config)
        if self.study:
            StudyStore(storage_uri("--study", self.study)).check()
        stage_vgg(self.config.vgg.weights)
        if self.config.vgg.weights != "imagenet":  # run_study downloads these, because torch is needed for it
            weights_name(self.config.vgg)


def check_no_seed(config: Config) -> None:
    """Raise UserError if `--seed` was given to a job that takes `--seeds`."""
    if config.seed:
        raise UserError(f"--seed is {config.seed}: this job takes --seeds; give --seeds {config.seed}")


def check_seeds(given: Sequence[str], also: str = "") -> tuple[int, ...]:
    """The seeds of --seeds; `also` is another value that the flag takes. Raises UserError unless they are different numbers."""
    if not given or not all(seed.isdecimal() for seed in given) or len(set(map(int, given))) < len(given):
        allowed = f"different whole numbers >= 0, at least one{f', or {also} alone' if also else ''}"
        raise UserError(f"--seeds is {' '.join(given)!r}: {allowed}")
    return tuple(map(int, given))


def check_start_weights(config: Config, seeds: Sequence[int], given: str) -> None:
    """Raise UserError if two seeds would start from the same shipped weights: their runs would vary too little."""
    if config.start == "shipped" and len({seed % SHIPPED_SEEDS for seed in seeds}) < len(seeds):
        raise UserError(
            f"{given}: start weights are shipped for {SHIPPED_SEEDS} seeds, and seeds that differ by {SHIPPED_SEEDS} share "
            f"them; give at most {SHIPPED_SEEDS} neighbouring seeds, or train some for each with --start random --warm_up 24000"
        )

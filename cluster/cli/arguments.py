"""The flags that every job on a study shares."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.datasets.source import check_source
from cluster.storage.weights import stage_vgg
from facegan.config import Config, preset
from facegan.nets.vgg_weights import weights_name
from facegan.synthetic.config import SyntheticConfig


@dataclass(frozen=True, kw_only=True)
class StudyArguments:
    """Where the faces come from, where the results go, and the configuration that the design varies."""

    source: str = ""
    """A folder or s3://bucket/prefix in the 300VW layout; without it and without --data, synthetic people are rendered."""
    data: str = ""
    """A data set made by jobs/ingest.py, or where to make one of --source: a folder or s3://bucket/prefix."""
    study: str = ""
    """Folder or s3://bucket/prefix of the study; by default studies/<design>-<preset>-<plan>."""
    preset: str = "demo"
    """demo: minutes on a CPU; hour: an hour on a CPU; poster: the study of 2019, for GPUs."""
    include_faces: bool = False
    """Put frames of real people into report.html; the PNGs in the study folder hold them anyway."""
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=lambda: preset("demo"))

    def check(self) -> None:
        """Refuse, before Ray starts, a source that is none and weights that are not there."""
        check_source(self.source)
        stage_vgg(self.config.vgg.weights)
        weights_name(self.config.vgg)

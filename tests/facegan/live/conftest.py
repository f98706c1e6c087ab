"""A live folder of three arms, written once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.live.folder import Live, write_live_folder
from facegan.records import read_record
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Plan
from tests.live_study import live_study


@dataclass(frozen=True)
class Written:
    """A study, and its live folder."""

    study: Path
    plan: Plan
    out: Path
    live: Live


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data: FaceData, data_folder: Path) -> Written:
    """The live folder of a study of four arms, one of which has no checkpoint."""
    root = tmp_path_factory.mktemp("live")
    plan = live_study(root / "study", tiny, data_folder)
    summary = read_record(Summary, root / "study" / "summary.json", "")
    live = write_live_folder(root / "out", root / "study", plan, data, summary, include_faces=False)
    return Written(root / "study", plan, root / "out", live)

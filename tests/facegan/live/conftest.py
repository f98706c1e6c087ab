"""A live folder of three arms, written once, and its server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.live.folder import Live, write_live_folder
from facegan.live.server import LiveServer
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


@contextmanager
def serving(folder: Path) -> Iterator[LiveServer]:
    """A server of a folder on a free port, in another thread."""
    with LiveServer(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="session")
def url(written: Written) -> Iterator[str]:
    """The address of the live page of `written`."""
    with serving(written.out) as server:
        yield server.url

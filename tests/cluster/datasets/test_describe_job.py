"""jobs/describe.py after an ingest whose landmarks a detector checked: the clips in doubt come first, in words and pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from cluster.datasets.dataset import existing
from cluster.storage.uri import StorageURI
from facegan.landmarks import dlib_check
from facegan.landmarks.finder import DISAGREES, NO_FACE_NEAR
from jobs import describe as job
from tests.known import known

Ingest = Callable[..., None]


def test_rejected_and_doubtful_frames_are_described(
    ingest_job: Ingest, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stand-in for dlib contradicts every sixth frame, and finds no face in every third."""
    seen: list[int] = []

    def check(image: object, points: object) -> str:
        seen.append(len(seen) + 1)
        return DISAGREES if seen[-1] % 6 == 0 else NO_FACE_NEAR if seen[-1] % 3 == 0 else ""

    monkeypatch.setattr(dlib_check, "dlib_check", lambda: check)
    data = tmp_path / "data"
    ingest_job("--source", source, "--data", data, "--size", 32, "--check_landmarks", "dlib")
    found = existing(StorageURI(str(data)))
    assert found.manifest().reasons == {DISAGREES: 3} and found.frames_without_face() == {"1001": 1, "1002": 1, "5001": 1}
    capsys.readouterr()
    job.main(job.Describe(data=str(data), sheet=tmp_path / "sheet.png", people=2))
    lines = capsys.readouterr().out.splitlines()
    first = lines.index("3 of 3 clips are in doubt, the most doubtful first")
    assert lines[first + 1] == f"   33.3%  1001: 1 of 6 frames rejected: {DISAGREES}; a detector finds no face in 1 of 6 frames"
    assert known(cv2.imread(str(tmp_path / "sheet.png"))).shape[0] == 52 + 2 * 131


def test_without_a_check_no_record_is_read(data: Path) -> None:
    for record in (data / "clips").glob("*.json"):
        record.write_text(json.dumps({}))
    assert existing(StorageURI(str(data))).frames_without_face() == {}


def test_a_study_passes_the_check_on(ingest_job: Ingest) -> None:
    from cluster.studies.arguments import StudyIngest

    assert StudyIngest(check_landmarks="dlib", move_people=True).request(32).config.check_landmarks == "dlib"
    assert StudyIngest(move_people=True).request(32).move_people

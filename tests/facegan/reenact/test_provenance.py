"""What the JSON file and the comment say of a video."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from facegan.config import Config
from facegan.data.ingest.crop import Crop
from facegan.reenact.inputs import RENDERED, rendered_driving
from facegan.reenact.options import ReenactOptions
from facegan.reenact.panels import MARK
from facegan.reenact.provenance import Provenance, comment, manifest, provenance_of
from facegan.reenact.source import Source
from tests.facegan.study.planted_study import make_study

SHA = "ab" * 32
PAGE = Path(__file__).parents[3] / "facegan" / "live" / "page" / "pictures.js"


def provenance(root: Path, tiny: Config, **options: Any) -> Provenance:
    plan = make_study(root, tiny)
    arms = [(arm, next(trial for trial in plan.trials if trial.arm == arm.name)) for arm in plan.arms[:2]]
    picture = np.zeros((8, 8, 3), np.uint8)
    crop = Crop(picture, np.zeros((68, 2), np.float32), (0, 0, 8))
    source = Source("/home/me/private/photo.png", SHA, picture, crop, None, "dlib", rendered=False)
    return provenance_of(plan, arms, source, rendered_driving(), ReenactOptions(**options))


def data_of(found: dict[str, Any], label: str) -> dict[str, Any]:
    return next(dict(one["data"]) for one in found["assertions"] if one["label"] == label)


def test_it_has_the_terms_of_a_c2pa_manifest_and_says_that_it_is_not_signed(tmp_path: Path, tiny: Config) -> None:
    made = provenance(tmp_path, tiny)
    found = manifest(made, tmp_path / "video.mp4", SHA, {"drawn": 7, "held": 2, "not_in_the_video": 0}, 5)
    assert found["signed"] is False and "NOT SIGNED" in found["note"] and found["format"] == "video/mp4"
    assert re.fullmatch(r"facegan/\S+ \(commit \S+\)", found["claim_generator"])
    actions = data_of(found, "c2pa.actions")["actions"]
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert actions[1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert "put back" in actions[1]["description"]
    assert data_of(found, "c2pa.hash.data") == {"alg": "sha256", "hash": SHA, "name": "video.mp4"}
    facts = data_of(found, "facegan.reenactment")
    assert facts["study"] == made.study and [arm["name"] for arm in facts["arms"]] == [arm.name for arm in made.arms]
    assert (
        facts["visible_mark"] is True
        and facts["frames"]["held"] == 2
        and facts["reference_frame"] == 5
        and facts["options"]["motion"] == "relative"
    )
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found, default=dataclasses.asdict))


def test_files_are_named_without_their_folders(tmp_path: Path, tiny: Config) -> None:
    made = provenance(tmp_path, tiny, landmarks="face-alignment", landmark_weights="/home/me/private/weights")
    found = manifest(made, tmp_path / "video.mp4", SHA, {}, 1)
    source, driving = found["ingredients"]
    assert (source["title"], source["hash"], source["role"]) == ("photo.png", SHA, "source")
    assert (driving["hash"], driving["role"]) == ("", "driving") and "SYNTHETIC" in driving["title"]
    assert "private" not in json.dumps(found) and str(tmp_path) not in json.dumps(found)


def test_a_video_without_the_mark_says_so(tmp_path: Path, tiny: Config) -> None:
    found = manifest(provenance(tmp_path, tiny, mark=False, paste=False), tmp_path / "video.mp4", SHA, {}, 1)
    assert data_of(found, "facegan.reenactment")["visible_mark"] is False
    assert "put back" not in data_of(found, "c2pa.actions")["actions"][1]["description"]


def test_the_comment_says_what_the_video_is_in_one_line(tmp_path: Path, tiny: Config) -> None:
    made = provenance(tmp_path, tiny)
    text = comment(made)
    assert text.isprintable() and "trainedAlgorithmicMedia" in text and "Not signed" in text and made.study in text
    assert all(arm.label in text for arm in made.arms) and RENDERED not in text


def test_the_mark_has_the_words_of_the_live_page() -> None:
    words = re.search(r'MARK = \{ true: "(.*?)", false: "(.*?)" \}', PAGE.read_text())
    assert words and (MARK[True], MARK[False]) == words.groups()

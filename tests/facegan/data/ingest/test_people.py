"""Data sets in which one person has several clips, from split.json to the parts of the data set."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in, fingerprint, found_in
from facegan.data.ingest.split import read_split
from facegan.data.reading.face_data import FaceData, open_data
from facegan.data.reading.local_copy import ingest_folder
from facegan.data.reading.sampling import batches, sample, training_clips
from facegan.data.versions.manifest import make_manifest
from facegan.errors import UserError
from facegan.metrics.card import Card
from facegan.metrics.discrimination import Discrimination
from facegan.metrics.evaluation import EMBEDDINGS, ROWS, discrimination_of, reference_cards, reference_measurements
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.metrics.pairs import choose_pairs, of_another_person
from tests.facegan.data.versions.test_manifest import make_record

Make = Callable[..., FaceData]


@pytest.fixture(scope="module")
def make(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Ingests the rendered clips, and copies of some of them under further names, with the people of a split.json."""

    def make(people: dict[str, str], copies: tuple[str, ...] = ()) -> FaceData:
        source = shutil.copytree(clips, tmp_path_factory.mktemp("people") / "source")
        split = json.loads((source / "split.json").read_text())
        for clip in copies:
            (source / f"{clip}b").symlink_to(source / clip)
            split["test" if clip.startswith("5") else "train"].append(f"{clip}b")
        (source / "split.json").write_text(json.dumps(split | {"people": people}))
        folder = source.with_name("data")
        ingest_folder(clips_in(source), source, folder, IngestConfig(size=32), synthetic=True)
        return open_data(folder)

    return make


@pytest.fixture(scope="module")
def evaluators() -> Evaluators:
    return build_evaluators(EvaluatorsConfig())


def test_a_clip_is_a_person_of_its_own_unless_the_split_says_otherwise(clips: Path, data: FaceData) -> None:
    assert {clip.clip: clip.person for clip in clips_in(clips)} == {clip.clip: clip.clip for clip in clips_in(clips)}
    assert all(data.person_of(clip) == clip for clip in data.clips("test", 0.0))


def test_sampling_is_unchanged_where_every_clip_is_a_person(data: FaceData, tiny: Config) -> None:
    """The hash of the first batches and the validation clips, as they were before data sets knew people."""
    digest = hashlib.sha256()
    for step in range(20):
        triplets = sample(training_clips(data, tiny), 0, step, 8, True)
        digest.update(np.stack([triplets.source, triplets.target, triplets.third, triplets.mirrored]).tobytes())
    assert digest.hexdigest()[:16] == "590bc3e5b0685757"
    held_out = {fraction: list(data.clips("validation", fraction)) for fraction in (0.0, 0.1, 0.4, 0.6)}
    assert held_out == {0.0: [], 0.1: ["1003"], 0.4: ["1002", "1004"], 0.6: ["1001", "1003", "1005"]}


def test_other_names_of_people_change_no_batch_and_no_score(
    data: FaceData, make: Make, tiny: Config, evaluators: Evaluators
) -> None:
    renamed = make({clip: f"person of {clip}" for clip in ("1001", "1003", "1004", "5001", "5002")})
    for fraction in (0.1, 0.4, 0.6):
        assert list(renamed.clips("validation", fraction)) == list(data.clips("validation", fraction))
    feeds = [batches(one, tiny, 0, 0, 1, pin=False) for one in (data, renamed)]
    for _ in range(3):
        a, b = (next(feed) for feed in feeds)
        assert all((getattr(a, name) == getattr(b, name)).all() for name in a.__slots__)
    assert references(renamed, evaluators) == references(data, evaluators)


def references(data: FaceData, evaluators: Evaluators) -> tuple[Card, Discrimination]:
    """The card of another person's frames, and how well people are told apart."""
    sampling = Sampling(pairs_per_clip=1, sequence_frames=0)
    parts = {
        clip: reference_measurements(data, prepare_evaluation_set(data, evaluators, None, sampling, only=clip), evaluators)
        for clip in data.clips("test", 0.0)
    }
    return reference_cards(parts, data, evaluators)["another person"], discrimination_of(parts, data)


def test_all_clips_of_a_person_are_held_out_together(make: Make) -> None:
    people = {"1001": "ann", "1001b": "ann", "1002": "bob", "1004": "bob", "1005": "ann"}
    data = make(people, ("1001",))
    assert data.person_of("1005") == "ann" and data.person_of("1003") == "1003"
    seen = set()
    for fraction in (0.05, 0.34, 0.67, 1.0):
        train, validation = (data.clips(part, fraction) for part in ("train", "validation"))
        of_part = [{data.person_of(clip) for clip in part} for part in (train, validation)]
        assert of_part[0].isdisjoint(of_part[1])
        assert len(of_part[1]) == max(1, round(3 * fraction)), "a fraction of the three people, not of the six clips"
        assert set(train) | set(validation) == set(data.clips("train", 0.0))
        seen |= of_part[1]
    assert seen == {"ann", "bob", "1003"}


def test_another_person_is_never_another_clip_of_the_same_person(make: Make, tiny: Config) -> None:
    data = make({"5001b": "5001", "5002b": "5002"}, ("5001", "5002"))
    pairs = choose_pairs(data, "test", tiny, 3)
    assert set(pairs.clip) == {"5001", "5001b", "5002", "5002b"}
    others = of_another_person(data, pairs.target, pairs.clip)
    assert others is not None
    owner = {int(row): data.person_of(clip) for clip, rows in data.clips("test", 0.0).items() for row in rows}
    assert all(owner[row] != data.person_of(clip) for row, clip in zip(others, pairs.clip, strict=True))
    alone = make({"5002": "5001"})
    pairs = choose_pairs(alone, "test", tiny, 1)
    assert of_another_person(alone, pairs.target, pairs.clip) is None, "one person in two clips"


def test_discrimination_compares_people_not_clips(make: Make) -> None:
    data = make({"5001b": "5001", "5002b": "5002"}, ("5001", "5002"))
    rng = np.random.default_rng(0)
    parts = {clip: {ROWS: rows[:3], EMBEDDINGS: rng.normal(size=(3, 8))} for clip, rows in data.clips("test", 0.0).items()}
    found = discrimination_of(parts, data)
    assert (found.people, found.frames) == (2, 12)
    assert found.same is not None and found.different is not None
    assert (found.same.pairs, found.different.pairs) == (2 * (6 * 5 // 2), 6 * 6)


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ('["a"]', '"people" is not'),
        ('{"a": 3}', '"people" is not'),
        ('{"a": ""}', '"people" is not'),
        (r'{"a": "two\nlines"}', '"people" is not'),
        ("null", '"people" is not'),
        ('{"z": "x"}', "\"people\" names 'z', not in the split"),
        ('{"a": "x", "c": "x"}', "person 'x' is in training clip 'a' and in test clip 'c'"),
        ('{"c": "a"}', "person 'a' is in training clip 'a' and in test clip 'c'"),
    ],
)
def test_wrong_people_are_refused_in_one_line(people: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        read_split(f'{{"train": ["a", "b"], "test": ["c"], "people": {people}}}'.encode(), "faces/split.json")
    assert str(refused.value).startswith("faces/split.json: ")
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_people_change_the_fingerprint_and_the_data(clips: Path, tmp_path: Path, data: FaceData, make: Make) -> None:
    source = shutil.copytree(clips, tmp_path / "source")
    before = fingerprint(found_in(source))
    split = json.loads((source / "split.json").read_text())
    (source / "split.json").write_text(json.dumps(split | {"people": {"1001": "ann"}}))
    assert fingerprint(found_in(source)) != before
    assert make({"1001": "ann"}).manifest.clips[0].key != data.manifest.clips[0].key


def test_sources_that_put_a_person_on_both_sides_make_no_manifest() -> None:
    train = make_record("a")
    test = replace(make_record("b"), person="a", split="test", category="test")
    with pytest.raises(UserError, match="person 'a' is in training clip 'a' and in test clip 'b'"):
        make_manifest([train, test], IngestConfig(), synthetic=False, sources={})

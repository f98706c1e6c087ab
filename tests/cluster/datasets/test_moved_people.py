"""A person who is moved between training and test in an existing data set: the job asks first."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.datasets.dataset import existing
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from tests.cluster.datasets.test_ingest import bytes_of

Job = Callable[..., None]


def write_split(source: Path, **split: object) -> None:
    (source / "split.json").write_text(json.dumps(split))


def sides(data: Path) -> dict[str, str]:
    return {clip.clip: clip.split for clip in existing(StorageURI(str(data))).manifest().clips}


def test_a_person_moved_to_test_is_refused_in_one_line_and_nothing_is_written(
    ingest_job: Job, source: Path, data: Path
) -> None:
    before = bytes_of(data)
    write_split(source, train=["1001"], test=["5001", "1002"])
    with pytest.raises(UserError, match=r"person '1002' \(clip 1002\) from training to test.*--move_people True$") as refused:
        ingest_job("--source", source, "--data", data, "--size", 32)
    assert len(str(refused.value).splitlines()) == 1
    assert bytes_of(data) == before


def test_the_printed_flag_allows_it(ingest_job: Job, source: Path, data: Path) -> None:
    write_split(source, train=["1001"], test=["5001", "1002"])
    with pytest.raises(UserError) as refused:
        ingest_job("--source", source, "--data", data, "--size", 32)
    flags = shlex.split(str(refused.value).rpartition("allow it with ")[2])
    ingest_job("--source", source, "--data", data, "--size", 32, *flags)
    assert sides(data) == {"1001": "train", "1002": "test", "5001": "test"}


@pytest.mark.parametrize("flag", [("--replace", "True"), ("--repair", "True"), ("--replace", "True", "--crop_scale", "1.5")])
def test_other_permissions_do_not_move_a_person(ingest_job: Job, source: Path, data: Path, flag: tuple[str, ...]) -> None:
    write_split(source, train=["1002", "5001"], test=["1001"])
    before = bytes_of(data)
    with pytest.raises(
        UserError, match=r"'1001' \(clip 1001\) from training to test; and '5001' \(clip 5001\) from test to tr"
    ):
        ingest_job("--source", source, "--data", data, "--size", 32, *flag)
    assert bytes_of(data) == before


def test_a_new_clip_of_a_person_who_is_on_the_other_side_is_refused(
    ingest_job: Job, source: Path, data: Path, clips: Path, tmp_path: Path
) -> None:
    """The person is known by another clip, which is of another source."""
    more = tmp_path / "more"
    (more).mkdir()
    (more / "1003").symlink_to(clips / "1003")
    write_split(more, test=["1003"], people={"1003": "1001"})
    with pytest.raises(UserError, match=r"person '1001' \(clip 1003\) from training to test"):
        ingest_job("--source", more, "--data", data, "--size", 32)


def test_another_name_for_the_person_of_a_moved_clip_hides_nothing(ingest_job: Job, source: Path, data: Path) -> None:
    write_split(source, train=["1001"], test=["5001", "1002"], people={"1002": "zoe"})
    with pytest.raises(UserError, match=r"person 'zoe' \(clip 1002\) from training to test"):
        ingest_job("--source", source, "--data", data, "--size", 32)


def test_new_people_and_other_categories_on_the_same_side_need_no_permission(
    ingest_job: Job, source: Path, data: Path, clips: Path
) -> None:
    (source / "1003").symlink_to(clips / "1003")
    write_split(source, train=["1001", "1002", "1003"], category_3=["5001"])
    ingest_job("--source", source, "--data", data, "--size", 32)
    assert sides(data)["1003"] == "train"

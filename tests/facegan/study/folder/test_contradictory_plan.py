"""A plan.json that is valid JSON of the right types, but contradicts itself."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.folder.study_folder import PLAN, read_plan
from tests.facegan.study.planted_study import make_study


def set_value(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_value("plan", "arms", 0, "without", value=["bogus"]), "bogus"),
        (set_value("plan", "arms", 0, "label", value="two\nlines"), "one line of text"),
        (set_value("plan", "arms", 0, "changes", value={"loss.pixl": 5}), "did you mean 'loss.pixel'"),
        (set_value("plan", "arms", 0, "changes", value={"loss.pixel": [5]}), r"changes\.loss\.pixel is \[5\]"),
        (
            set_value("plan", "arms", 0, "changes", value={"loss.pixel": -1}),
            r"arm .* are refused: loss\.pixel is -1",
        ),
        (set_value("plan", "design", value="compare"), "a comparison has a base, and an arm with changes"),
        (lambda content: content["plan"]["arms"].append(content["plan"]["arms"][0]), "two arms have one name"),
        (set_value("plan", "extension", value=["bogus"]), "its extension is not a part of its arms"),
        (
            lambda content: set_value("plan", "extension", value=[arm["name"] for arm in content["plan"]["arms"]])(content),
            "not a part",
        ),
        (set_value("equalised", value="something else"), "what follows from its plan"),
        (set_value("run_order", value=[]), "what follows from its plan"),
    ],
)
def test_it_is_refused_in_one_line(change: Callable[[Any], None], message: str, tmp_path: Path, tiny: Config) -> None:
    make_study(tmp_path, tiny)
    read_plan(tmp_path)
    content = json.loads((tmp_path / PLAN).read_text())
    change(content)
    (tmp_path / PLAN).write_text(json.dumps(content))
    with pytest.raises(UserError, match=message) as refused:
        read_plan(tmp_path)
    assert len(str(refused.value).splitlines()) == 1 and PLAN in str(refused.value)


def test_a_missing_plan_is_named_as_the_user_gave_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--checkpoint is 's3://faces/x': no study .*jobs/ablate\.py"):
        read_plan(tmp_path, "--checkpoint", "s3://faces/x")


@pytest.mark.parametrize(
    ("flag", "cure"), [("the study", "; name another study"), ("--checkpoint", "; name another study with --checkpoint")]
)
def test_the_cure_of_a_damaged_plan_is_an_argument_of_the_job(flag: str, cure: str, tmp_path: Path, tiny: Config) -> None:
    make_study(tmp_path, tiny)
    (tmp_path / PLAN).write_text("{")
    with pytest.raises(UserError) as refused:
        read_plan(tmp_path, flag)
    assert str(refused.value).endswith(cure)

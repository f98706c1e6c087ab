"""plan.json: written once, read back, refused where it does not belong."""

import json
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study, read_plan
from tests.facegan.study.design.designs import design, plan_of
from tests.planning import PLANNED_DATA


def plan(config: Config, **changes: object) -> Plan:
    given = {
        "design": "figure2",
        "preset": "demo",
        "seeds": (0, 1),
        "candidates": 2,
        "data": PLANNED_DATA,
        "commit": "c",
    } | changes
    return make_plan(config, choose_design("figure2", Config()).arms, **given)  # type: ignore[arg-type]


def test_a_plan_reads_back_equal(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path / "study", plan(tiny))
    open_study(tmp_path / "study", plan(tiny))
    assert read_plan(tmp_path / "study") == plan(tiny)


def test_plan_json_lists_factors_levels_aliases_and_run_order(tiny: Config, tmp_path: Path) -> None:
    styled = tiny.override({"loss.style": 1.0})
    made = plan_of(styled, design("fraction", config=styled, size="quarter"), (0, 1))
    open_study(tmp_path / "study", made)
    assert read_plan(tmp_path / "study") == made
    written = json.loads((tmp_path / "study" / "plan.json").read_text())
    assert written["factors"][0] == {"name": "pixel", "terms": ["pixel"]}
    assert written["arms"][-1]["levels"] == dict.fromkeys([f.name for f in made.factors], 1)
    assert "pixel x style" not in written["aliases"]["pixel x self_consistency"]
    assert "triple_consistency x identity" in written["aliases"]["pixel x self_consistency"]
    assert written["resolution"] == 4
    assert written["run_order"] == [t.key for t in made.run_order()]


def test_a_study_of_another_plan_is_refused(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path, plan(tiny))
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(UserError, match="another plan"):
        open_study(tmp_path, plan(tiny, seeds=(0,)))
    assert (tmp_path / "plan.json").read_bytes() == before


def test_a_folder_with_other_files_is_refused(tiny: Config, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        open_study(tmp_path, plan(tiny))

"""Designs and plans: content-addressed, refused when another plan's."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import candidate, choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder, trial_folder
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


def test_figure2_is_the_posters_four_models_in_order() -> None:
    arms = choose_design("figure2", Config()).arms
    assert [a.label for a in arms] == ["-Cons.", "-Pixel", "-Feature", "Full"]
    active = [a.apply(Config()).loss.active() for a in arms]
    assert active[0] == ["adversarial", "pixel", "perceptual", "identity"]
    assert active[1] == ["adversarial", "self_consistency", "triple_consistency", "perceptual", "identity"]
    assert active[2] == ["adversarial", "pixel", "self_consistency", "triple_consistency"]
    assert active[3] == Config().loss.active()


def test_arms_can_be_named_and_misnamed() -> None:
    assert [a.name for a in choose_design("figure2", Config(), names=("full", "no_pixel")).arms] == ["no_pixel", "full"]
    with pytest.raises(UserError, match="did you mean 'no_pixel'"):
        choose_design("figure2", Config(), names=("nopixel",))
    with pytest.raises(UserError, match="did you mean 'figure2'"):
        choose_design("figure3", Config())


def test_candidates_vary_active_weights_only_and_repeatably() -> None:
    base = choose_design("figure2", Config()).arms[1].apply(Config())
    assert candidate(base, "no_pixel", 0) == base
    one = candidate(base, "no_pixel", 1)
    assert one == candidate(base, "no_pixel", 1) != candidate(base, "no_pixel", 2)
    assert one.loss.pixel == 0
    assert one.loss.adversarial == base.loss.adversarial
    assert 10 <= one.loss.self_consistency <= 1000


def test_keys_name_configuration_and_data(tiny: Config) -> None:
    p = plan(tiny)
    assert len({t.key for t in p.trials}) == 2 * 4 * 2
    assert plan(tiny).id() == p.id()
    assert plan(tiny, data=replace(PLANNED_DATA, sha256="other")).id() != p.id()
    assert plan(tiny.override({"loss.pixel": 9.0})).id() != p.id()
    assert plan(tiny, data=replace(PLANNED_DATA, uri="/moved")).id() == p.id()


def test_keys_name_the_weights_of_vgg(tiny: Config, tmp_path: Path) -> None:
    config = tiny.override({"vgg.width": 64}).override({"vgg.weights": str(tmp_path / "vgg.pth")})
    keys = []
    for content in (b"one", b"another"):
        (tmp_path / "vgg.pth").write_bytes(content)
        keys.append(plan(config).trials[0].key)
    assert keys[0] != keys[1]


def test_a_plan_reads_back_as_it_was_written(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path / "study", plan(tiny))
    open_study(tmp_path / "study", plan(tiny))
    assert read_plan(tmp_path / "study") == plan(tiny)


def test_a_study_of_another_plan_is_refused(tiny: Config, tmp_path: Path) -> None:
    open_study(tmp_path, plan(tiny))
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(UserError, match="another plan"):
        open_study(tmp_path, plan(tiny, seeds=(0,)))
    assert (tmp_path / "plan.json").read_bytes() == before


def test_a_folder_of_other_things_is_refused(tiny: Config, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        open_study(tmp_path, plan(tiny))


def test_a_trial_folder_forgets_what_will_be_done_again(tiny: Config, tmp_path: Path) -> None:
    folder: TrialFolder = trial_folder(tmp_path, plan(tiny).trials[0])
    assert folder.state().state == "PENDING"
    folder.path.mkdir(parents=True)
    for images in (8, 16, 24):
        folder.append_row(MetricsRow(images, 1.0, 0.0, {}))
    with (folder.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"images": 3')  # killed while writing
    folder.forget_rows_after(16)
    assert [row.images for row in folder.rows()] == [8, 16]

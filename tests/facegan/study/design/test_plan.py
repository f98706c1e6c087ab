"""Keys of trials and plans."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.presets import preset
from tests.facegan.study.design.designs import figure2_plan
from tests.planning import PLANNED_DATA


def test_keys_depend_on_configuration_and_data(tiny: Config) -> None:
    p = figure2_plan(tiny)
    assert len({t.key for t in p.trials}) == 2 * 4
    assert figure2_plan(tiny).id() == p.id()
    assert figure2_plan(tiny, data=replace(PLANNED_DATA, sha256="other")).id() != p.id()
    assert figure2_plan(tiny.override({"loss.pixel": 9.0})).id() != p.id()
    assert figure2_plan(tiny, data=replace(PLANNED_DATA, uri="/moved")).id() == p.id()


def test_keys_depend_on_the_weights_of_vgg(tiny: Config, tmp_path: Path) -> None:
    config = tiny.override({"vgg.width": 64}).override({"vgg.weights": str(tmp_path / "vgg.pth")})
    keys = []
    for content in (b"one", b"another"):
        (tmp_path / "vgg.pth").write_bytes(content)
        keys.append(figure2_plan(config).trials[0].key)
    assert keys[0] != keys[1]


def test_a_precision_left_open_is_chosen_once_and_named_in_every_key(tiny: Config) -> None:
    """A study that moves to a machine that would choose another precision keeps its folder, its trials and its precision."""
    left_open = tiny.override({"optim.precision": "auto", "warm_up": 8})
    here, there = (figure2_plan(left_open, auto_precision=p, seeds=(0,)) for p in ("fp32", "bf16"))
    assert {trial.config.optim.precision for trial in here.trials} == {"fp32"}
    assert {trial.config.optim.precision for trial in (*there.trials, *there.warm_ups())} == {"bf16"}
    assert here.id() == there.id() and {t.key for t in here.trials}.isdisjoint(t.key for t in there.trials)
    moved = here.extended(figure2_plan(left_open, auto_precision="bf16", seeds=(0, 1)), results_seen=3)
    assert moved == replace(figure2_plan(left_open, auto_precision="fp32", seeds=(0, 1)), changes=moved.changes)
    asked = figure2_plan(left_open.override({"optim.precision": "bf16"}), seeds=(0,))
    assert asked.id() != here.id() and [t.key for t in asked.trials] == [t.key for t in there.trials]


def test_seeds_that_share_start_weights_with_those_of_a_study_are_not_added() -> None:
    demo = preset("demo")
    begun = figure2_plan(demo, seeds=(0, 1, 2))
    with pytest.raises(
        UserError, match="--seeds is 3 4: the study has seeds 0 1 2, and seeds that differ by 3 share"
    ) as refused:
        begun.extended(figure2_plan(demo, seeds=(3, 4)), results_seen=24)
    assert "--study" in str(refused.value)
    assert begun.extended(figure2_plan(demo, seeds=(0, 1, 2)), results_seen=24) == begun
    random = demo.override({"start": "random"})
    assert figure2_plan(random, seeds=(0,)).extended(figure2_plan(random, seeds=(3,)), results_seen=8).seeds == (0, 3)

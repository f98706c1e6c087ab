"""Keys of trials and plans."""

from dataclasses import replace
from pathlib import Path

from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
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


def test_keys_depend_on_configuration_and_data(tiny: Config) -> None:
    p = plan(tiny)
    assert len({t.key for t in p.trials}) == 2 * 4 * 2
    assert plan(tiny).id() == p.id()
    assert plan(tiny, data=replace(PLANNED_DATA, sha256="other")).id() != p.id()
    assert plan(tiny.override({"loss.pixel": 9.0})).id() != p.id()
    assert plan(tiny, data=replace(PLANNED_DATA, uri="/moved")).id() == p.id()


def test_keys_depend_on_the_weights_of_vgg(tiny: Config, tmp_path: Path) -> None:
    config = tiny.override({"vgg.width": 64}).override({"vgg.weights": str(tmp_path / "vgg.pth")})
    keys = []
    for content in (b"one", b"another"):
        (tmp_path / "vgg.pth").write_bytes(content)
        keys.append(plan(config).trials[0].key)
    assert keys[0] != keys[1]

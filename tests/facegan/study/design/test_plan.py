"""Keys of trials and plans."""

from dataclasses import replace
from pathlib import Path

from facegan.config import Config
from tests.facegan.study.design.designs import figure2_plan
from tests.planning import PLANNED_DATA


def test_keys_depend_on_configuration_and_data(tiny: Config) -> None:
    p = figure2_plan(tiny)
    assert len({t.key for t in p.trials}) == 2 * 4 * 2
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

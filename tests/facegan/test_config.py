"""One spelling, checked values, a JSON round trip."""

import json

import pytest

from facegan.config import Config, from_dict, preset
from facegan.errors import UserError


def test_json_round_trip_keeps_every_value() -> None:
    config = preset("demo").override({"loss.pixel": 3, "model.maps": "points", "seed": 7})
    assert from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_override_changes_only_what_it_names() -> None:
    changed, base = Config().override({"loss.triple_consistency": 0.0}).flat(), Config().flat()
    assert {name for name in base if changed[name] != base[name]} == {"loss.triple_consistency"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("loss.pixl", 1.0, "did you mean 'pixel'"),
        ("loss.pixel", -1.0, "loss.pixel is -1.0"),
        ("loss.pixel", float("nan"), "finite"),
        ("loss.pixel", "ten", "type float"),
        ("loss", 1.0, "a group"),
        ("seed.x", 1, "a single value"),
        ("model.maps", "lines", "one of points, parts"),
        ("data.size", 50, "multiple of 16"),
        ("images", 2001, "multiple of optim.batch"),
        ("vgg.width", 16, "width 64"),
    ],
)
def test_a_wrong_override_names_the_value_and_the_cure(name: str, value: object, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        Config().override({name: value})
    assert "\n" not in str(caught.value)


def test_all_weights_zero_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to train"):
        Config().override({f"loss.{term}": 0.0 for term in reversed(Config().loss.active())})


def test_the_poster_preset_holds_the_posters_weights() -> None:
    loss = preset("poster").loss.weights()
    assert loss == {
        "adversarial": 1,
        "pixel": 10,
        "self_consistency": 100,
        "triple_consistency": 100,
        "perceptual": 10,
        "identity": 1,
        "style": 0,
    }


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="did you mean 'poster'"):
        preset("postr")

"""The configuration: one spelling, checked values, a JSON round trip at every batch size."""

import json
from typing import Any

import pytest

from facegan.config import Config, from_dict
from facegan.errors import UserError
from facegan.presets import PRESETS, preset


def test_json_round_trip_keeps_every_value() -> None:
    config = preset("hour").override({"loss.pixel": 3, "model.maps": "points", "seed": 7})
    assert from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("name", PRESETS)
def test_every_batch_size_survives_the_round_trip(name: str) -> None:
    """Fields used to be checked one at a time against the defaults of the others, which refused 242 of 256 batch sizes."""
    for batch in range(1, 257):
        config = preset(name).with_batch(batch)
        assert config.optim.batch == batch
        assert from_dict(json.loads(json.dumps(config.to_dict()))) == config
        assert config.override({"seed": 1}).override({"seed": 0}) == config


def test_values_that_only_fit_together_are_accepted_in_any_order() -> None:
    values = {"optim.batch": 32, "images": 64, "report_every": 32, "checkpoint_every": 64, "gradient_diagnostics_every": 32}
    forwards = preset("demo").override(values)
    assert preset("demo").override(dict(reversed(values.items()))) == forwards
    assert (forwards.optim.batch, forwards.images) == (32, 64)


def test_the_printed_cure_for_a_batch_size_is_accepted() -> None:
    with pytest.raises(UserError) as caught:
        preset("demo").override({"optim.batch": 48})
    cure = str(caught.value).partition("such as ")[2].split()
    values = {flag.removeprefix("--"): int(value) for flag, value in zip(cure[::2], cure[1::2], strict=True)}
    assert preset("demo").override({"optim.batch": 48, **values}).optim.batch == 48


def test_a_batch_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(UserError, match=r"optim\.batch is 1000000000: from 1 to 16384"):
        preset("demo").with_batch(10**9)


def test_an_override_changes_only_what_it_names() -> None:
    changed, base = Config().override({"loss.triple_consistency": 0.0}).flat(), Config().flat()
    assert {name for name in base if changed[name] != base[name]} == {"loss.triple_consistency"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("loss.pixl", 1.0, "did you mean 'loss.pixel'"),
        ("loss.pixel", -1.0, "loss.pixel is -1.0"),
        ("loss.pixel", float("nan"), "finite"),
        ("loss.pixel", 1e39, "loss.pixel is 1e.39: a weight is"),
        ("loss.pixel", 1e-46, "loss.pixel is 1e-46: a weight is"),
        ("model.generator_width", 257, "from 4 to 256"),
        ("vgg.width", 65, "from 4 to 64"),
        ("vgg.weights", "two\nlines", "one line of text"),
        ("loss.pixel", "ten", "type float"),
        ("loss", 1.0, "a group"),
        ("seed.x", 1, "a single value"),
        ("seed", True, "type int"),
        ("model.maps", "lines", "one of points, parts"),
        ("data.size", 50, "multiple of 16"),
        ("images", 2001, "a multiple of optim.batch"),
        ("vgg.width", 16, "width 64"),
        ("seed", -1, "seed is -1: from 0 to 9223372036854775807"),
        ("seed", 10**30, "from 0 to 9223372036854775807"),
        ("vgg.seed", 2**63, "vgg.seed is 9223372036854775808: from 0 to"),
    ],
)
def test_a_wrong_override_names_the_value_and_the_cure(name: str, value: object, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        Config().override({name: value})
    assert "\n" not in str(caught.value)


def damaged(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *groups, last = path.split(".")
    node = values
    for group in groups:
        node = node[group]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return values


def refusal(values: dict[str, Any]) -> str | None:
    """What `from_dict` says of values, or None if it accepts them; anything but a UserError is a failure."""
    try:
        from_dict(values)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("path", [name for name in Config().flat()])
@pytest.mark.parametrize("value", [None, "x", [], {}, -1, 1e400, True])
def test_a_damaged_configuration_is_refused_in_one_line(path: str, value: Any) -> None:
    values = damaged(json.loads(json.dumps(Config().to_dict())), path, value)
    said = refusal(values)
    if said is None:
        assert type(value) is type(Config().flat()[path]), "only a value of the field's own type can be accepted"
    else:
        assert path.rpartition(".")[2] in said and "\n" not in said


def test_all_weights_zero_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to train"):
        Config().override({f"loss.{term}": 0.0 for term in Config().loss.active()})


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


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_holds_out_validation_clips(name: str) -> None:
    """Without them no model is registered, no search can be made, and curves are of test people."""
    assert preset(name).data.validation_fraction > 0


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="did you mean 'poster'"):
        preset("postr")

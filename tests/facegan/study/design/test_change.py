"""Changes of the configuration: parsed by the type of what they change, and refused where arms could not be compared."""

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.change import analysis_of_change, compared_arms

BASE = Config()


def test_changes_are_applied_together_to_the_second_arm() -> None:
    base, changed = compared_arms(BASE, ["loss.pixel=5", "optim.generator_lr=5e-4", "data.flip=False", "model.head=mask"])
    assert base.apply(BASE) == BASE and (base.levels, changed.levels) == ({"change": -1}, {"change": 1})
    config = changed.apply(BASE)
    assert (config.loss.pixel, config.optim.generator_lr, config.data.flip, config.model.head) == (5.0, 5e-4, False, "mask")
    assert changed.label == "Changed"
    assert compared_arms(BASE, ["loss.pixel=5"])[1].label == "loss.pixel=5"


def test_values_that_fit_only_together_are_accepted() -> None:
    random = BASE.override({"vgg.weights": "random"})
    sparse = random.override({"model.first_layer": "sparse"})
    assert compared_arms(sparse, ["model.first_layer=dense", "model.maps=parts"])[1].apply(sparse).model.maps == "parts"
    with pytest.raises(UserError, match="only maps 'points' are sparse"):
        compared_arms(sparse, ["model.maps=parts"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([], "--change is missing"),
        (["loss.pixel"], "a name and a value, such as loss.pixel=5"),
        (["loss.pixl=5"], "did you mean 'loss.pixel'"),
        (["loss=5"], "a group"),
        (["loss.pixel=much"], "a number"),
        (["loss.pixel=nan"], "a finite number"),
        (["loss.pixel=-1"], "a weight is from"),
        (["loss.pixel=10"], "10.0 already"),
        (["loss.pixel=5", "loss.pixel=6"], "loss.pixel twice"),
        (["loss.pixel_form=l3"], "one of l2, l1_squared, l1"),
        (["data.flip=yes"], "True or False"),
        (["model.generator_width=9.5"], "a whole number"),
        (["seed=1"], "the same seeds"),
        (["images=4000000"], "equal images; give --images"),
        (["data.size=64"], "another size"),
        (["checkpoint_every=80000"], "it changes no image"),
        (["checkpoint_at=400"], "it changes no image"),
        (["vgg.weights=random"], "share one VGG-19"),
        (["optim.precision=bf16"], "auto is one of the others"),
        (["optim.batch=16", "loss.pixel=5", "report_every=1600"], "it changes no image"),
        (["optim.batch=7"], "a multiple of optim.batch"),
        (["loss.pixel=0", "loss.pixel_form=l1"], "it changes nothing while pixel is off"),
    ],
)
def test_a_wrong_change_is_refused_in_one_line(changes: list[str], text: str) -> None:
    base = BASE.override({"loss.pixel": 0.0}) if changes[:1] == ["loss.pixel=0"] else BASE
    with pytest.raises(UserError) as refused:
        compared_arms(base, changes[1:] if base is not BASE else changes)
    assert text in str(refused.value) and str(refused.value).startswith("--change")


def test_arms_of_one_warm_up_have_the_same_networks() -> None:
    with pytest.raises(UserError, match="the networks of one warm-up; give --warm_up 0"):
        compared_arms(BASE.override({"warm_up": 8}), ["model.head=mask"])


def test_the_precision_can_be_compared_where_it_is_named() -> None:
    base = BASE.override({"optim.precision": "fp32"})
    assert compared_arms(base, ["optim.precision=bf16"])[1].apply(base).optim.precision == "bf16"


def test_margins_take_the_place_of_the_smallest_effects() -> None:
    found = analysis_of_change((3, 4), ["face_error=0.5"])
    assert found.smallest_effects == {
        "target_following": 0.1,
        "identity_kept": 0.1,
        "face_error": 0.5,
        "landmark_error": 0.01,
        "landmark_auc": 0.05,
    }
    assert (found.looks, found.claims) == ((3, 4), ())
    for margin, text in (("face_eror=1", "did you mean 'face_error'"), ("face_error", "a number"), ("face_error=0", "above 0")):
        with pytest.raises(UserError, match=text):
            analysis_of_change((3,), [margin])

"""Designs by name: their arms, labels, refusals, and changes."""

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import Arm, Design, choose_design, extend_by_fold_over
from tests.facegan.study.design.designs import GROUPS, active_terms, design


def test_figure2_has_the_four_models_of_the_poster_in_order() -> None:
    arms = choose_design("figure2", Config()).arms
    assert [a.label for a in arms] == ["-Cons.", "-Pixel", "-Feature", "Full"]
    active = [a.apply(Config()).loss.active() for a in arms]
    assert active[0] == ["adversarial", "pixel", "perceptual", "identity"]
    assert active[1] == ["adversarial", "self_consistency", "triple_consistency", "perceptual", "identity"]
    assert active[2] == ["adversarial", "pixel", "self_consistency", "triple_consistency"]
    assert active[3] == Config().loss.active()


def test_arms_are_selected_by_name_and_misspelled_names_are_refused() -> None:
    assert [a.name for a in choose_design("figure2", Config(), names=("full", "no_pixel")).arms] == ["no_pixel", "full"]
    with pytest.raises(UserError, match="did you mean 'no_pixel'"):
        choose_design("figure2", Config(), names=("nopixel",))
    with pytest.raises(UserError, match="did you mean 'figure2'"):
        choose_design("figure3", Config())


def test_factorial_over_the_two_groups() -> None:
    found = design("factorial", *GROUPS)
    assert {a.label: active_terms(a) - {"adversarial"} for a in found.arms} == {
        "Base": set(),
        "-Pixel space": {"perceptual", "identity"},
        "-Feature space": {"pixel", "self_consistency", "triple_consistency"},
        "Full": {"pixel", "self_consistency", "triple_consistency", "perceptual", "identity"},
    }
    assert [a.levels for a in found.arms][1] == {"pixel_space": -1, "feature_space": 1}
    assert [a.name for a in found.arms] == ["base", "no_pixel_space", "no_feature_space", "full"]


def test_by_default_every_term_but_the_adversarial_one_is_a_factor() -> None:
    terms = ["pixel", "self_consistency", "triple_consistency", "perceptual", "identity"]
    left_out = design("loo")
    assert [f.name for f in left_out.factors] == terms
    assert [a.without for a in left_out.arms] == [*((t,) for t in terms), ()]
    added = design("add-one")
    assert [active_terms(a) - {"adversarial"} for a in added.arms] == [set(), *({t} for t in terms), set(terms)]
    assert [a.label for a in added.arms] == ["Base", "+Pixel", "+Self", "+Triple", "+Perceptual", "+Identity", "Full"]


def test_factors_can_join_terms_and_contain_active_terms_only() -> None:
    found = design("factorial", "pixel+identity", "consistency")
    assert [f.terms for f in found.factors] == [("pixel", "identity"), ("self_consistency", "triple_consistency")]
    styled = Config().override({"loss.style": 1.0})
    assert design("loo", "feature_space", "pixel", config=styled).factors[0].terms == ("perceptual", "identity", "style")


@pytest.mark.parametrize("size", ["", "half", "quarter"])
def test_arms_are_distinct_and_their_labels_fit_a_figure(size: str) -> None:
    config = Config().override({"loss.style": 1.0})
    arms = design("fraction" if size else "factorial", config=config, size=size).arms
    assert len(arms) == {"": 64, "half": 32, "quarter": 16}[size]
    assert (
        len({a.name for a in arms})
        == len({a.label for a in arms})
        == len({tuple(a.levels.values()) for a in arms})
        == len(arms)
    )
    assert max(len(a.label) for a in arms) <= 18
    assert arms[-1].label == "Full" and set(arms[-1].levels.values()) == {1}


@pytest.mark.parametrize(
    ("name", "factors", "size", "changes", "says"),
    [
        ("factorial", ("pixel", "style"), "", {}, "style is off in this configuration; give it a weight, as --loss.style 1"),
        ("factorial", ("pixel", "consistency", "pixel_space"), "", {}, "'pixel' and 'pixel_space': both switch pixel"),
        ("factorial", ("pixel+pixel", "identity"), "", {}, "names a term twice"),
        ("factorial", ("pixl", "identity"), "", {}, "did you mean 'pixel'"),
        ("figure2", ("pixel", "identity"), "", {}, "figure2 has its own"),
        ("figure2", (), "", {"loss.pixel": 0.0}, "switches pixel, which is off"),
        ("fraction", ("pixel", "identity"), "half", {}, "at least 3"),
        ("fraction", ("pixel", "identity", "perceptual", "consistency"), "quarter", {}, "from 5 to 7"),
        ("fraction", (), "", {}, "half or quarter"),
        ("loo", (), "half", {}, "nothing with another"),
        ("fraction", (), "halve", {}, "did you mean 'half'"),
        ("factorial", (), "", {"loss.adversarial": 0.0}, "'base' leaves no term of the generator's loss"),
        ("factorial", ("adversarial", *GROUPS), "", {}, "'base' leaves no term of the generator's loss"),
        ("lo", (), "", {}, "did you mean 'loo'"),
    ],
)
def test_invalid_designs_are_refused_in_one_line(
    name: str, factors: tuple[str, ...], size: str, changes: dict[str, float], says: str
) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as refused:
        design(name, *factors, config=Config().override(changes), size=size)
    assert says in str(refused.value)


def test_an_invalid_arm_can_be_left_out_by_name() -> None:
    config = Config().override({"loss.adversarial": 0.0})
    assert len(design("factorial", *GROUPS, config=config, names=("full", "no_pixel_space")).arms) == 2
    assert len(design("figure2", config=Config().override({"loss.pixel": 0.0}), names=("full", "no_feature")).arms) == 2


def test_changes_of_an_arm_are_applied_after_its_terms_are_left_out() -> None:
    arm = Arm("changed", "Changed", ("pixel", "identity"), changes={"loss.pixel": 3, "optim.generator_lr": 1e-3})
    config = arm.apply(Config())
    assert (config.loss.pixel, config.loss.identity, config.optim.generator_lr) == (3.0, 0.0, 1e-3)
    assert config.override({"loss.pixel": 10.0, "loss.identity": 1.0, "optim.generator_lr": 2e-4}) == Config()


def test_wrong_changes_of_an_arm_are_refused() -> None:
    with pytest.raises(UserError, match=r"did you mean 'loss\.pixel'"):
        Arm("changed", "Changed", (), changes={"loss.pixl": 3})
    with pytest.raises(UserError, match="a group"):
        Arm("changed", "Changed", (), changes={"loss": 3})
    with pytest.raises(UserError, match=r"loss\.pixel is 'x'"):
        Arm("changed", "Changed", (), changes={"loss.pixel": "x"}).apply(Config())


def test_a_fold_over_has_the_other_half_of_a_half_fraction() -> None:
    factors = ("pixel_space", "perceptual", "identity")
    half = design("fraction", *factors, size="half")
    folded = extend_by_fold_over(half, Config())
    assert folded.arms == half.arms
    everything = {arm.name: arm for arm in design("factorial", *factors).arms}
    assert {arm.name: arm for arm in (*folded.arms, *folded.extension)} == everything


HALF = [arm.name for arm in design("fraction", "pixel_space", "perceptual", "identity", size="half").arms]


@pytest.mark.parametrize(
    "found",
    [design("factorial", *GROUPS), design("fraction", "pixel_space", "perceptual", "identity", size="half", names=HALF[1:])],
)
def test_what_is_no_whole_fraction_has_no_fold_over(found: Design) -> None:
    with pytest.raises(UserError, match=r"--extend is fold-over and --design is '(factorial|fraction)': only a whole fraction"):
        extend_by_fold_over(found, Config())

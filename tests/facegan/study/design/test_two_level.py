"""Designs: which arms they are, what a fraction aliases by the textbook, what is refused, and an order that stays balanced."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import Arm, Design, choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.design.two_level import alias_table, balanced_order, column_value, defining_relation, fraction, resolution
from facegan.study.folder.study_folder import open_study, read_plan
from tests.planning import PLANNED_DATA

GROUPS = ("pixel_space", "feature_space")
LETTERS = "ABCDEFG"


def design(name: str, *factors: str, config: Config | None = None, size: str = "", names: Sequence[str] = ()) -> Design:
    return choose_design(name, config or Config(), factors=factors, size=size, names=names)


def active(arm: Arm) -> set[str]:
    return set(arm.apply(Config()).loss.active())


def test_the_factorial_over_the_two_groups() -> None:
    found = design("factorial", *GROUPS)
    assert {a.label: active(a) - {"adversarial"} for a in found.arms} == {
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
    assert [active(a) - {"adversarial"} for a in added.arms] == [set(), *({t} for t in terms), set(terms)]
    assert [a.label for a in added.arms] == ["Base", "+Pixel", "+Self", "+Triple", "+Perceptual", "+Identity", "Full"]


def test_an_own_group_and_style_where_it_is_on() -> None:
    found = design("factorial", "pixel+identity", "consistency")
    assert [f.terms for f in found.factors] == [("pixel", "identity"), ("self_consistency", "triple_consistency")]
    styled = Config().override({"loss.style": 1.0})
    assert design("loo", "feature_space", "pixel", config=styled).factors[0].terms == ("perceptual", "identity", "style")


@pytest.mark.parametrize("size", ["", "half", "quarter"])
def test_arms_differ_and_their_labels_fit_a_figure(size: str) -> None:
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
def test_what_cannot_be_compared_is_refused(
    name: str, factors: tuple[str, ...], size: str, changes: dict[str, float], says: str
) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as refused:
        design(name, *factors, config=Config().override(changes), size=size)
    assert says in str(refused.value)


def test_an_impossible_arm_can_be_left_out_by_name() -> None:
    config = Config().override({"loss.adversarial": 0.0})
    assert len(design("factorial", *GROUPS, config=config, names=("full", "no_pixel_space")).arms) == 2
    assert len(design("figure2", config=Config().override({"loss.pixel": 0.0}), names=("full", "no_feature")).arms) == 2


def test_the_aliases_of_the_half_of_six_are_the_textbooks() -> None:
    """I = ABCDEF, resolution VI: a main effect only with a product of five, a pair only with one of four."""
    rows = fraction("ABCDEF", "half")
    assert len(rows) == 32 and resolution(rows) == 6
    assert defining_relation(rows) == [(tuple("ABCDEF"), 1)]
    table = alias_table(rows)
    assert len(table) == 6 + 15
    assert table["A"] == ["B x C x D x E x F"] and table["B x D"] == ["A x C x E x F"]


def test_the_aliases_of_the_quarter_of_six_are_the_textbooks() -> None:
    """E = ABC, F = BCD; I = ABCE = BCDF = ADEF, resolution IV (Montgomery, Design and Analysis of Experiments, 2^(6-2))."""
    rows = fraction("ABCDEF", "quarter")
    assert len(rows) == 16 and resolution(rows) == 4
    assert {"".join(word): sign for word, sign in defining_relation(rows)} == {"ABCE": 1, "BCDF": 1, "ADEF": 1}
    table = {name.replace(" x ", ""): {a.replace(" x ", "") for a in aliases} for name, aliases in alias_table(rows).items()}
    pairs = {name: {a for a in aliases if len(a) == 2} for name, aliases in table.items() if len(name) == 2}
    expected = [{"AB", "CE"}, {"AC", "BE"}, {"AD", "EF"}, {"AE", "BC", "DF"}, {"AF", "DE"}, {"BD", "CF"}, {"BF", "CD"}]
    assert sorted(map(sorted, {frozenset({n} | a) for n, a in pairs.items()})) == sorted(map(sorted, expected))
    assert table["A"] == {"BCE", "DEF", "ABCDF"} and table["F"] == {"BCD", "ADE", "ABCEF"}


@pytest.mark.parametrize(("k", "size", "expected"), [(3, "half", 3), (5, "half", 5), (5, "quarter", 3), (7, "quarter", 4)])
def test_fractions_have_their_resolution_and_are_orthogonal(k: int, size: str, expected: int) -> None:
    rows = fraction(LETTERS[:k], size)  # type: ignore[arg-type]
    assert resolution(rows) == expected
    table = np.array([[row[f] for f in LETTERS[:k]] for row in rows])
    assert (table.T @ table == len(rows) * np.eye(k)).all()
    assert all(column_value(row, word) == sign for row in rows for word, sign in defining_relation(rows))


def test_the_full_factorial_has_no_alias_and_arms_left_out_make_some() -> None:
    rows = [a.levels for a in design("factorial", *GROUPS).arms]
    assert alias_table(rows) == {} and resolution(rows) is None
    assert alias_table([rows[0], rows[3]])["pixel_space"] == ["feature_space"]
    assert alias_table(rows[1:3])["pixel_space"] == ["-feature_space"]


def plan(config: Config, found: Design, seeds: Sequence[int], candidates: int = 1) -> Plan:
    return make_plan(
        config,
        found.arms,
        design=found.name,
        preset="demo",
        seeds=seeds,
        candidates=candidates,
        data=PLANNED_DATA,
        commit="c",
        factors=found.factors,
    )


def test_the_plan_tells_factors_levels_aliases_and_order_and_reads_back(tiny: Config, tmp_path: Path) -> None:
    styled = tiny.override({"loss.style": 1.0})
    made = plan(styled, design("fraction", config=styled, size="quarter"), (0, 1))
    open_study(tmp_path / "study", made)
    assert read_plan(tmp_path / "study") == made
    written = json.loads((tmp_path / "study" / "plan.json").read_text())
    assert written["factors"][0] == {"name": "pixel", "terms": ["pixel"]}
    assert written["arms"][-1]["levels"] == dict.fromkeys([f.name for f in made.factors], 1)
    assert "pixel x style" not in written["aliases"]["pixel x self_consistency"]
    assert "triple_consistency x identity" in written["aliases"]["pixel x self_consistency"]
    assert written["resolution"] == 4
    assert written["run_order"] == [t.key for t in made.run_order()]


STYLED = Config().override({"loss.style": 1.0})
TERMS = ("pixel", "self_consistency", "triple_consistency", "perceptual", "identity", "style")
CASES = [
    *((f"factorial of {k}", design("factorial", *TERMS[:k], config=STYLED)) for k in range(2, 7)),
    ("half of 3", design("fraction", "pixel_space", "perceptual", "identity", size="half")),
    ("half of 5", design("fraction", size="half")),
    ("quarter of 5", design("fraction", size="quarter")),
    ("figure2", design("figure2")),
    ("loo", design("loo")),
]


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2), (3, 1, 4, 5, 9)])
@pytest.mark.parametrize(("name", "found"), CASES, ids=[name for name, _ in CASES])
def test_every_beginning_of_a_study_is_nearly_balanced(name: str, found: Design, seeds: tuple[int, ...], tiny: Config) -> None:
    made = plan(tiny.override({"loss.style": 1.0}), found, seeds)
    order = made.run_order()
    assert sorted(t.key for t in order) == sorted(t.key for t in made.trials)
    levels = {arm.name: list(arm.levels.values()) for arm in found.arms}
    table = np.array([levels[t.arm] for t in order])
    share = table.mean(axis=0)
    drift = np.abs(np.cumsum(table, axis=0) - np.arange(1, len(table) + 1)[:, None] * share)
    assert drift.max() <= (2 if name.startswith("factorial") or name == "figure2" else 4), "levels, +1 and -1, out of balance"
    quarter = table[: -(-len(table) // 4)]
    # Two runs show all levels where each arm's opposite is in the design; leaving one out takes a run a factor.
    if len(quarter) >= {"figure2": 3, "loo": 5, "fraction": 3}.get(found.name, 2):
        assert (quarter == 1).any(axis=0).all() and (quarter == -1).any(axis=0).all(), "a level not seen"
    blocks = [t.seed for t in order]
    assert blocks == sorted(blocks, key=seeds.index), "a seed is not one block"


def test_the_order_is_a_shuffle_that_the_plan_decides(tiny: Config) -> None:
    found = design("factorial", "pixel", "consistency", "identity")
    one, same, other = (plan(tiny, found, seeds).run_order() for seeds in ((0, 1), (0, 1), (0, 2)))
    assert one == same
    assert [t.arm for t in one] != [t.arm for t in other]
    assert [t.arm for t in one[:8]] != [t.arm for t in one[8:]], "each seed has the same order"
    firsts = {balanced_order([a.levels for a in found.arms], seed)[0] for seed in range(40)}
    assert len(firsts) > 4


def test_candidates_come_as_blocks_too(tiny: Config) -> None:
    order = plan(tiny, design("figure2"), (0, 1), candidates=2).run_order()
    assert [(t.seed, t.candidate) for t in order[::4]] == [(0, 0), (0, 1), (1, 0), (1, 1)]

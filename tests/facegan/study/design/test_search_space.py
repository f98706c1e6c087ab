"""Search spaces: what flags and files say, and what is refused before a search begins."""

from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.presets import preset
from facegan.study.design.search_space import Parameter, default_space, grid, of_arm, parse_space, typed


def test_the_default_is_every_active_weight_but_the_adversarial_one_within_a_factor_of_ten() -> None:
    space = {parameter.name: parameter for parameter in default_space(Config())}
    weights = Config().loss.weights()
    assert set(space) == {f"loss.{term}" for term in Config().loss.active()} - {"loss.adversarial"}
    assert all(p.low == weights[n[5:]] / 10 and p.high == weights[n[5:]] * 10 for n, p in space.items())
    assert parse_space((), Config()) == default_space(Config())
    huge = default_space(Config().override({"loss.pixel": 1e38, "loss.identity": 1e-12}))
    for parameter in huge:
        assert parameter.high is not None and Config().override({parameter.name: parameter.high})


def test_words_and_files_name_ranges_and_choices(tmp_path: Path) -> None:
    (tmp_path / "space.txt").write_text("# rates\noptim.generator_lr = 1e-4..1e-2\n\nmodel.generator_width=8..32\n")
    found = parse_space(("loss.pixel=1..100", str(tmp_path / "space.txt"), "loss.pixel_form=l1,l2"), Config())
    assert found == (
        Parameter("loss.pixel", 1.0, 100.0),
        Parameter("optim.generator_lr", 1e-4, 1e-2),
        Parameter("model.generator_width", 8.0, 32.0, is_integer=True),
        Parameter("loss.pixel_form", choices=("l1", "l2")),
    )
    assert found[0].rounded(12.3456) == 12.3 and found[2].rounded(12.6) == 13


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("loss.pixl=1..2", "did you mean 'loss.pixel'"),
        ("loss=1..2", "a group of the configuration"),
        ("loss.pixel=1", "2 to 100 different choices"),
        ("loss.pixel=5,5", "2 to 100 different choices"),
        ("loss.pixel=5..1", "a range such as 1..100"),
        ("loss.pixel=0..3", "it takes numbers"),
        ("loss.pixel=nan..3", "it takes numbers"),
        ("loss.pixel_form=1..3", "it takes choices"),
        ("loss.pixel_form=l2,l3", "one of l2, l1_squared, l1"),
        ("loss.pixel=1,many", "loss.pixel is 'many': a value of type float"),
        ("loss.pixel=1..1e300", "a weight is from"),
        ("loss.pixel=", "such as loss.pixel=1..100"),
        ("data.size=64,96", "candidates must see the same images"),
        ("optim.batch=8,16", "candidates must see the same images"),
        ("seed=1,2", "candidates must see the same images"),
        ("loss.adversarial=1,2", "but not"),
        ("model.head=mask,colour", "start is 'shipped'"),
        ("nowhere", "no file that can be read"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_a_line(word: str, says: str) -> None:
    with pytest.raises(UserError, match=r"^--space[^\n]*$") as refused:
        parse_space((word,), preset("demo"))
    assert says in str(refused.value)


def test_a_file_that_is_no_text_or_names_nothing_or_a_value_twice_is_refused(tmp_path: Path) -> None:
    for content, says in ((b"\xff\xfe", "it is no text"), (b"# nothing\n", "names no value"), (b"x" * 200_000, "at most")):
        (tmp_path / "space").write_bytes(content)
        with pytest.raises(UserError, match=says):
            parse_space((str(tmp_path / "space"),), Config())
    with pytest.raises(UserError, match="twice"):
        parse_space(("loss.pixel=1..2", "loss.pixel=1..3"), Config())


def test_an_arm_is_not_searched_over_the_terms_that_it_leaves_out() -> None:
    space = parse_space(("loss.pixel=1..100", "loss.identity=1..2", "optim.generator_lr=1e-4..1e-3"), Config())
    arm = Config().override({"loss.pixel": 0.0})
    assert [parameter.name for parameter in of_arm(space, arm)] == ["loss.identity", "optim.generator_lr"]


def test_a_grid_has_the_ends_and_the_middle_of_each_range() -> None:
    space = parse_space(("loss.pixel=1..100", "loss.pixel_form=l1,l2"), Config())
    assert [tuple(values.values()) for values in grid(space)] == [(v, f) for v in (1.0, 10.0, 100.0) for f in ("l1", "l2")]


def test_choices_get_the_type_of_their_field() -> None:
    base = Config()
    found = typed({"loss.pixel": "3", "data.flip": "False", "model.head": "mask", "model.generator_width": "8"}, base)
    assert found == {"loss.pixel": 3.0, "data.flip": False, "model.head": "mask", "model.generator_width": 8}
    assert base.override(found).loss.pixel == 3.0

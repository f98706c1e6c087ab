"""A search on paper: who trains how far, on how many places, and in generations."""

import pytest

from facegan.study.search.halving import Halving
from facegan.study.search.objectives import Measured
from facegan.study.search.replay import Replayed, replay
from facegan.study.search.rungs import Rungs

RUNG, END = 8, 24


def searched(
    scores: dict[str, float],
    at_once: int = 1,
    later: list[list[str]] | None = None,
    start: float = 0.0,
    finalists: int = 1,
) -> Replayed:
    """The candidates of one arm, with a rung and the same score at every one; an image takes a second."""
    later = [] if later is None else later
    proposed = {name for names in later for name in names}
    new = [name for name in scores if name not in proposed]
    return replay(
        Halving(dict.fromkeys(scores, "arm"), {"arm": Rungs([RUNG])}, new, (), lambda: not later, (), finalists),
        dict.fromkeys(scores, (RUNG, END)),
        lambda name, images: Measured(images, (scores[name],) * 3, scores[name], True),
        lambda _, begin, end, starts: end - begin + start * starts,
        at_once,
        later,
    )


def test_the_best_one_of_three_goes_on() -> None:
    found = searched({"a": 0.5, "b": 0.9, "c": 0.1})
    assert found.images == {"a": RUNG, "b": RUNG, "c": END} and found.whole == ["c"]
    assert found.wall_seconds == RUNG + RUNG + END == sum(found.seconds.values())


def test_a_place_is_started_once_for_stretches_that_follow_each_other() -> None:
    """c goes on at once; a, the best of the first three, was paused, and is started again."""
    assert searched({"a": 0.5, "b": 0.9, "c": 0.1}, start=1.0).seconds == {"a": RUNG + 1, "b": RUNG + 1, "c": END + 1}
    paused = searched({"a": 0.1, "b": 0.9, "c": 0.5}, start=1.0)
    assert paused.seconds == {"a": END + 2, "b": RUNG + 1, "c": RUNG + 1}


def test_as_many_train_to_the_end_as_there_are_finalists() -> None:
    scores = {"a": 0.5, "b": 0.9, "c": 0.1}
    found = searched(scores, finalists=2)
    assert found.whole == ["c", "a"] and found.images == {"a": END, "b": RUNG, "c": END}
    assert searched(scores, finalists=3).whole == ["c", "a", "b"]
    # b comes last, while c trains to the end, and is needed: it goes on at once.
    assert searched({"a": 0.9, "c": 0.1, "b": 0.5}, at_once=2, start=1.0, finalists=2).seconds["b"] == END + 1


@pytest.mark.parametrize("whole", [(), ("z",)])
def test_one_that_trained_to_the_end_before_an_interruption_counts(whole: tuple[str, ...]) -> None:
    search = Halving(dict.fromkeys("abz", "arm"), {"arm": Rungs([RUNG])}, "ab", (), lambda: True, whole, 2)
    for key, score in (("a", 0.1), ("b", 0.2)):
        assert search.next() == key and search.came(key, Measured(RUNG, (score,) * 3, score, True)) is False
    assert search.next() == "a"
    assert search.next() == (None if whole else "b")


def test_where_the_best_one_diverges_the_next_one_trains_to_the_end() -> None:
    search = Halving(dict.fromkeys("ab", "arm"), {"arm": Rungs([RUNG])}, "ab", (), lambda: True)
    for key, score in (("a", 0.1), ("b", 0.2)):
        assert search.next() == key and search.came(key, Measured(RUNG, (score,) * 3, score, True)) is False
    assert search.next() == "a" and search.next() is None
    search.ended("a")
    assert search.next() == "b"
    search.ended("b", whole=True)
    assert search.next() is None


def test_places_run_beside_each_other() -> None:
    """Two run at a time: a and b, then c, which ends as the best of three, and a, since a place would be free."""
    found = searched({"a": 0.5, "b": 0.9, "c": 0.1}, at_once=2)
    assert found.images == {"a": END, "b": RUNG, "c": END} and found.wall_seconds == RUNG + END


def test_a_generation_waits_until_the_one_before_has_come_to_the_rung() -> None:
    scores = {"a": 0.5, "b": 0.4, "c": 0.3, "d": 0.9, "e": 0.8}
    later = [["c", "d", "e"]]
    found = searched(scores, at_once=3, later=later)
    # Two of five go on: c, the best third of the first three, and b once no more will come.
    assert later == [] and found.images == {"a": RUNG, "b": END, "c": END, "d": RUNG, "e": RUNG}
    alone = searched({"a": 0.5, "b": 0.4, "c": 0.3}, at_once=3, later=[["c"]])
    assert alone.wall_seconds == RUNG + END, "c does not start beside a and b"

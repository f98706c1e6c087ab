"""ASHA over several objectives: who may go on from a rung, and the same decisions after an interruption."""

from pathlib import Path

import pytest

from facegan.study.design.candidates import rungs_of
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder
from facegan.study.search.objectives import Measured
from facegan.study.search.rungs import Rungs

SELECTION = "validation/selection_score"


def at(images: int, *distances: float, follows: bool = True) -> Measured:
    one, two, three = (*distances, *([0.5] * (3 - len(distances))))
    return Measured(images, (one, two, three), one + two + three, follows)


@pytest.mark.parametrize(
    ("images", "batch", "expected"),
    [(400, 8, (48, 96, 200)), (12_000, 8, (1336, 3000, 6000)), (36, 1, (4, 9, 18)), (16, 8, (8,)), (8, 8, ())],
)
def test_rungs_are_a_ninth_a_quarter_and_a_half_in_whole_batches(images: int, batch: int, expected: tuple[int, ...]) -> None:
    assert rungs_of(images, batch) == expected


def came(rungs: Rungs, images: int, **scores: float) -> None:
    """Candidates that come to a rung one after the other."""
    for name, score in scores.items():
        assert rungs.record(name, at(images, score))


def test_the_best_third_goes_on() -> None:
    rungs = Rungs([10, 30])
    assert not rungs.record("a", at(5, 9.0)), "before the first rung nobody is judged"
    came(rungs, 10, a=0.5, b=0.6)
    assert rungs.best({"a", "b"}, last=False) is None, "a third of two is none"
    came(rungs, 10, c=0.4)
    assert rungs.best({"a", "b", "c"}, last=False) == "c"
    assert rungs.best({"a", "b"}, last=False) is None, "the best third has gone on"
    assert not rungs.record("c", at(20, 9.9)), "it is judged once at a rung"
    came(rungs, 10, d=0.55, e=0.3, f=0.7)
    assert rungs.best({"a", "b", "d", "e", "f"}, last=False) == "e"
    assert rungs.best({"a", "b", "d", "f"}, last=False) is None


def test_who_has_come_further_goes_first_and_the_last_third_is_rounded_up() -> None:
    rungs = Rungs([10, 30])
    came(rungs, 10, a=0.1, b=0.2, c=0.3, d=0.4)
    came(rungs, 30, a=0.9)
    assert rungs.last_rung("a") == 30 and rungs.last_rung("b") == 10 and rungs.last_rung("x") == 0
    waiting = {"a", "b", "c", "d"}
    assert rungs.best(waiting, last=False) is None, "a third of four is one, which has gone on"
    assert rungs.best(waiting, last=True) == "a", "from the highest rung, where it is alone"
    assert rungs.best(waiting - {"a"}, last=True) == "b", "two of four"
    assert rungs.best({"c", "d"}, last=True) is None


def test_what_no_other_one_dominates_goes_before_better_compromises_that_one_does() -> None:
    rungs = Rungs([8])
    rungs.record("best", at(8, 0.2, 0.2, 0.2))
    rungs.record("compromise", at(8, 0.21, 0.21, 0.21))
    rungs.record("dominated", at(8, 0.25, 0.25, 0.25))
    rungs.record("follows", at(8, 0.1, 0.9, 0.2))
    assert rungs.best({"compromise", "dominated", "follows"}, last=True) == "follows", "the best in one distance"


def test_a_copy_comes_behind_all_that_follow() -> None:
    rungs = Rungs([8])
    rungs.record("copy", at(8, 0.99, 0.0, 0.4, follows=False))  # it has the best identity of all
    for number in range(2):
        rungs.record(f"follows {number}", at(8, 0.5, 0.5 + number, 0.5))
    assert rungs.best({"copy", "follows 0", "follows 1"}, last=False) == "follows 0"
    among = Rungs([8])
    for number in range(3):
        among.record(f"copy {number}", at(8, 0.9 - number / 10, follows=False))
    assert among.best({f"copy {n}" for n in range(3)}, last=False) == "copy 2", "among copies the best goes on"


def test_a_search_that_was_interrupted_has_its_rungs_again(tmp_path: Path) -> None:
    rungs, folders = Rungs([8, 24]), []
    for number, score in enumerate((0.5, 0.3, 0.4)):
        folder = TrialFolder(tmp_path / f"c{number}")
        folder.path.mkdir()
        folders.append(folder)
        for images in (8, 12, 24)[: 3 if number == 1 else 1]:
            found = at(images, score + images / 100)
            following, identity, image = found.distances
            row = {SELECTION: found.score, "validation/target_following": 1 - following}
            row |= {"validation/identity_kept": 1 - identity, "validation/image_distance": image}
            folder.append_row(MetricsRow(images, 0.0, float(images), row if images != 12 else {"loss/pixel": 1.0}))
            if images != 12:
                rungs.record(folder.path.name, found)
    again = Rungs([8, 24])
    again.replay(folders)
    assert {rung: list(there) for rung, there in again.rungs.items()} == {8: ["c0", "c1", "c2"], 24: ["c1"]}
    for rung, there in rungs.rungs.items():
        for name, found in there.items():
            assert again.rungs[rung][name].score == found.score

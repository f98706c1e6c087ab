"""ASHA over several objectives: against Ray Tune's with one, and the same decisions after an interruption."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
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


def test_the_best_third_goes_on() -> None:
    rungs = Rungs([10, 30])
    assert rungs.goes_on("a", at(5, 9.0)), "before the first rung nobody is judged"
    assert rungs.goes_on("a", at(10, 0.5)), "the first one has nobody to be compared with"
    assert not rungs.goes_on("b", at(10, 0.6))
    assert rungs.goes_on("c", at(10, 0.4))
    assert rungs.goes_on("a", at(20, 9.9)), "it is judged once at a rung"
    assert not rungs.goes_on("b", at(20, 0.0)), "who was stopped stays so"
    assert rungs.goes_on("d", at(10, 0.45)), "the second of four, a third of which is more than one"
    assert not rungs.goes_on("e", at(10, 0.47))
    assert rungs.goes_on("a", at(30, 0.9)) and not rungs.goes_on("c", at(35, 1.0))


def test_what_no_other_one_dominates_goes_before_better_compromises_that_one_does() -> None:
    rungs = Rungs([8])
    rungs.goes_on("best", at(8, 0.2, 0.2, 0.2))
    for number in range(3):
        assert not rungs.goes_on(f"dominated {number}", at(8, 0.25, 0.25, 0.25))
    assert rungs.goes_on("follows", at(8, 0.1, 0.9, 0.2)), "the best in one distance"
    assert not rungs.goes_on("compromise", at(8, 0.21, 0.21, 0.21))


def test_a_copy_comes_behind_all_that_follow() -> None:
    rungs = Rungs([8])
    for number in range(3):
        rungs.goes_on(f"follows {number}", at(8, 0.5, 0.5 + number, 0.5))
    assert not rungs.goes_on("copy", at(8, 0.99, 0.0, 0.4, follows=False)), "it has the best identity of all"
    among = Rungs([8])
    assert all(among.goes_on(f"copy {n}", at(8, 0.9 - n / 10, follows=False)) for n in range(3)), "among copies the best go on"


def curves(rng: np.random.Generator) -> list[tuple[str, int, float]]:
    """The reports of nine candidates, in a random order of time; each one's own come one after the other."""
    left = {f"trial{i}": list(range(8, 88, 8)) for i in range(9)}
    found = []
    while left:
        name = str(rng.choice(sorted(left)))
        found.append((name, left[name].pop(0), float(rng.uniform())))
        left = {name: images for name, images in left.items() if images}
    return found


@pytest.mark.ray
def test_decisions_with_one_objective_are_those_of_ray_tune() -> None:
    """Nearly: Tune interpolates the best third, so that a candidate between two ranks may go on there and not here."""
    from ray.tune.schedulers.async_hyperband import _Bracket

    rng = np.random.default_rng(0)
    stopped = alike = decided = 0
    for _ in range(50):
        ours, theirs, ended = Rungs([8, 24, 72]), _Bracket(8, 80, 3, 0), set[str]()
        for name, images, score in curves(rng):
            if name in ended:
                continue
            expected = theirs.on_result(SimpleNamespace(trial_id=name), images, -score) == "CONTINUE"
            found = ours.goes_on(name, at(images, score))
            decided, alike = decided + 1, alike + (found == expected)
            # From here on both must have the same candidates.
            ended |= {name} if not expected or not found else set()
        stopped += len(ended)
    assert stopped > 100 and alike / decided > 0.95


def test_a_search_that_was_interrupted_judges_as_if_it_had_not_been(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(20):
        reports, whole, ended = curves(rng), Rungs([8, 24, 72]), set[str]()
        cut, folders, after = int(rng.integers(len(reports))), {}, []
        for time, (name, images, score) in enumerate(reports):
            if name in ended:
                continue
            found = at(images, score)
            if time < cut:
                folders[name] = TrialFolder(tmp_path / str(number) / name)
                folders[name].path.mkdir(parents=True, exist_ok=True)
                following, identity, image = found.distances
                row = {SELECTION: found.score, "validation/target_following": 1 - following}
                row |= {"validation/identity_kept": 1 - identity, "validation/image_distance": image}
                folders[name].append_row(MetricsRow(images, 0.0, float(time), row))
                folders[name].append_row(MetricsRow(images + 4, 0.0, time + 0.5, {"loss/pixel": 1.0}))
            goes_on = whole.goes_on(name, found)
            ended |= set() if goes_on else {name}
            if time >= cut:
                after.append((name, found, goes_on))
        again = Rungs([8, 24, 72])
        again.replay(folders.values())
        assert [again.goes_on(name, found) for name, found, _ in after] == [goes_on for *_, goes_on in after]
        assert {rung: list(there) for rung, there in again.rungs.items()} == {r: list(t) for r, t in whole.rungs.items()}

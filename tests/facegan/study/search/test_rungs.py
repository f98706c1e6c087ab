"""ASHA by rungs against Ray Tune's, and the same decisions after an interruption."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facegan.study.analysis.model_selection import SELECTION
from facegan.study.analysis.rungs import Rungs
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder


def test_rungs_are_a_factor_of_three_apart_and_within_the_run() -> None:
    for grace, images, expected in ((16, 96, [16, 48]), (16, 144, [16, 48, 144]), (200, 400, [200]), (400, 400, [400])):
        assert list(Rungs(grace, images).rungs) == expected


def test_the_best_third_goes_on() -> None:
    rungs = Rungs(10, 90)
    assert rungs.goes_on("a", 5, 9.0), "before the first rung nobody is judged"
    assert rungs.goes_on("a", 10, 0.5), "the first one has nobody to be compared with"
    assert not rungs.goes_on("b", 10, 0.6)
    assert rungs.goes_on("c", 10, 0.4)
    assert rungs.goes_on("a", 20, 9.9), "it is judged once at a rung"
    assert not rungs.goes_on("b", 20, 0.0), "who was stopped stays so"
    assert rungs.goes_on("d", 10, 0.4666), "the best third of 0.4, 0.5 and 0.6 ends at 0.4667"
    assert rungs.goes_on("a", 30, 0.9) and not rungs.goes_on("c", 35, 1.0)
    assert rungs.rungs == {10: {"a": 0.5, "b": 0.6, "c": 0.4, "d": 0.4666}, 30: {"a": 0.9, "c": 1.0}, 90: {}}


def curves(rng: np.random.Generator) -> list[tuple[str, int, float]]:
    """The reports of nine candidates, in a random order of time; each one's own come one after the other."""
    left = {f"trial{i}": list(range(8, 88, 8)) for i in range(9)}
    found = []
    while left:
        name = str(rng.choice(sorted(left)))
        found.append((name, left[name].pop(0), float(rng.normal())))
        left = {name: images for name, images in left.items() if images}
    return found


@pytest.mark.ray
def test_decisions_are_those_of_ray_tune() -> None:
    from ray.tune.schedulers.async_hyperband import _Bracket

    rng = np.random.default_rng(0)
    stopped = 0
    for _ in range(50):
        ours, theirs, ended = Rungs(8, 80), _Bracket(8, 80, 3, 0), set[str]()
        for name, images, score in curves(rng):
            if name in ended:
                continue
            expected = theirs.on_result(SimpleNamespace(trial_id=name), images, -score)
            assert ours.goes_on(name, images, score) == (expected == "CONTINUE")
            ended |= {name} if expected == "STOP" else set()
        stopped += len(ended)
    assert stopped > 100


def test_a_search_that_was_interrupted_judges_as_if_it_had_not_been(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(20):
        reports, whole, ended = curves(rng), Rungs(8, 80), set[str]()
        cut, folders, after = int(rng.integers(len(reports))), {}, []
        for time, (name, images, score) in enumerate(reports):
            if name in ended:
                continue
            if time < cut:
                folders[name] = TrialFolder(tmp_path / str(number) / name)
                folders[name].path.mkdir(parents=True, exist_ok=True)
                folders[name].append_row(MetricsRow(images, 0.0, float(time), {SELECTION: score, "loss/pixel": 1.0}))
                folders[name].append_row(MetricsRow(images + 4, 0.0, time + 0.5, {"loss/pixel": 1.0}))
            goes_on = whole.goes_on(name, images, score)
            ended |= set() if goes_on else {name}
            if time >= cut:
                after.append((name, images, score, goes_on))
        again = Rungs(8, 80)
        again.replay(folders.values())
        assert [again.goes_on(name, images, score) for name, images, score, _ in after] == [goes_on for *_, goes_on in after]
        assert again.rungs == whole.rungs

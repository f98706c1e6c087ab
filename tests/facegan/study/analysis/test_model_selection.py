"""The trials that represent an arm, and the generator to register."""

from pathlib import Path

from facegan.config import Config
from facegan.study.analysis.model_selection import best_generator, best_trials
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import finish_trial, make_study


def test_candidate_0_wins_a_tie_and_trials_without_checkpoint_do_not_count(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, candidates=3)
    pixel = [t for t in plan.trials if t.arm == "no_pixel"]
    finish_trial(tmp_path, pixel[0], face_error=9.0)
    finish_trial(tmp_path, pixel[1], face_error=9.0)
    finish_trial(tmp_path, pixel[2], face_error=1.0)
    trial_folder(tmp_path, pixel[2]).checkpoint.rmdir()
    assert best_trials(plan, tmp_path) == {"no_pixel": pixel[0]}


def test_the_registered_generator_is_the_median_seed_of_the_best_arm(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[0, 1, 2])
    errors = {"full": [20.0, 4.0, 12.0], "no_pixel": [10.0, 16.0, 13.0], "no_feature": [1.0, 99.0, 1.0]}
    trials = {(t.arm, t.seed): t for t in plan.trials}
    assert best_generator(plan, tmp_path) is None
    for arm, found in errors.items():
        for seed, error in enumerate(found):
            finish_trial(tmp_path, trials[arm, seed], face_error=error)
    assert best_generator(plan, tmp_path) == trials["full", 2]
    # An arm with a diverged run is left out.
    trial_folder(tmp_path, trials["full", 1]).write_state("DIVERGED", images=32, seconds=2.0, passes={})
    assert best_generator(plan, tmp_path) == trials["no_pixel", 2]

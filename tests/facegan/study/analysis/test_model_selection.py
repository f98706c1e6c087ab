"""The trials that represent an arm, and the generator to register."""

from pathlib import Path

from facegan.config import Config
from facegan.study.analysis.model_selection import best_generator, shown_trials
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.facegan.study.planted_study import finish_trial, make_study


def test_the_lowest_seed_with_a_checkpoint_is_shown_whatever_its_score(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[2, 1, 0])
    pixel = {t.seed: t for t in plan.trials if t.arm == "no_pixel"}
    for seed, error in ((0, 1.0), (1, 9.0), (2, 1.0)):
        finish_trial(tmp_path, pixel[seed], face_error=error)
    trial_folder(tmp_path, pixel[0]).checkpoint.rmdir()
    assert shown_trials(plan, tmp_path) == {"no_pixel": pixel[1]}


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


def test_an_arm_that_copies_is_registered_only_if_all_do(tmp_path: Path, tiny: Config) -> None:
    """A copy scores 2; blurred faces that follow scored 2.3 on real clips."""
    plan = make_study(tmp_path, tiny, seeds=[0, 1])
    following = {"full": 0.4, "no_pixel": 0.3, "no_feature": 0.02}
    scores = {"full": 2.4, "no_pixel": 2.3, "no_feature": 1.98}
    for trial in (t for t in plan.trials if t.arm in scores):
        finish_trial(tmp_path, trial, face_error=scores[trial.arm])
        row = {"validation/target_following": following[trial.arm], "validation/selection_score": scores[trial.arm]}
        trial_folder(tmp_path, trial).append_row(MetricsRow(64, 4.0, 0.0, row))
    found = best_generator(plan, tmp_path)
    assert found is not None and found.arm == "no_pixel"
    for trial in (t for t in plan.trials if t.arm in ("full", "no_pixel")):
        copy = {"validation/target_following": 0.01, "validation/selection_score": 2.1}
        trial_folder(tmp_path, trial).append_row(MetricsRow(96, 4.0, 0.0, copy))
    found = best_generator(plan, tmp_path)
    assert found is not None and found.arm == "no_feature"

"""Which of a study's runs speak for an arm: candidates are chosen on validation clips, seeds never."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

SELECTION = "validation/face_error"


def best_trials(plan: Plan, study: Path, has_checkpoint: Callable[[Trial], bool] | None = None) -> dict[str, Trial]:
    """Each arm's trial to show: the lowest seed with a checkpoint, of its candidates the best on validation clips.

    Checkpoints are looked for in the study folder unless `has_checkpoint` knows where they lie.
    """
    has = has_checkpoint or (lambda trial: trial_folder(study, trial).checkpoint.exists())
    shown: dict[str, Trial] = {}
    for arm in plan.arms:
        ready = [t for t in plan.trials if t.arm == arm.name and has(t)]
        if ready:
            shown[arm.name] = min(ready, key=lambda t: (t.seed, *rank(study, t)))
    return shown


def runs_of_arms(plan: Plan, study: Path) -> dict[str, list[Trial]]:
    """Each arm's runs with rows of metrics, one a seed: of its candidates the best on validation clips."""
    runs: dict[str, list[Trial]] = {}
    for arm in plan.arms:
        best: dict[int, Trial] = {}
        begun = [t for t in plan.trials if t.arm == arm.name and trial_folder(study, t).rows()]
        for trial in sorted(begun, key=lambda t: rank(study, t)):
            best.setdefault(trial.seed, trial)
        runs[arm.name] = [best[seed] for seed in sorted(best)]
    return runs


def best_generator(plan: Plan, study: Path) -> Trial | None:
    """The run to pass on: of the arm that is best on validation clips on average over its seeds, the seed in the middle.

    Arms with a diverged run do not compete; None where no clips were held out for validation. The seed in the middle, of an
    even number the worse one, because a best seed promises more than training again gives.
    """
    runs = {arm: sorted(trials, key=lambda t: rank(study, t)) for arm, trials in runs_of_arms(plan, study).items()}
    errors = {arm: [rank(study, trial) for trial in trials] for arm, trials in runs.items() if trials}
    means = {
        arm: fmean(error for _, error, _ in found)
        for arm, found in errors.items()
        if not any(diverged or error == float("inf") for diverged, error, _ in found)
    }
    if not means:
        return None
    best = runs[min(means, key=lambda arm: means[arm])]
    return best[len(best) // 2]


def rank(study: Path, trial: Trial) -> tuple[bool, float, int]:
    """What candidates of an arm are ordered by: diverged ones last, then the score on validation clips."""
    folder = trial_folder(study, trial)
    judged = [float(row[SELECTION]) for row in folder.rows() if SELECTION in row]
    diverged = folder.state().state == "DIVERGED"
    return diverged, judged[-1] if judged else float("inf"), trial.candidate

"""The trials that represent an arm, and the generator to register. The best seed is never chosen.

Arms are chosen by `SELECTION`, the score of `facegan.metrics.validation`: the distance from the ideal in following and
identity, plus an image distance. The face error or the identity alone would choose a copy over a generator that follows.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from facegan.metrics.caveats import MAX_COPY_FOLLOWING
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

SELECTION = "validation/selection_score"
"""The metric, in metrics.jsonl, that generators are chosen by; less is better, 0 is the real target and 2 the source copied."""
_FOLLOWING = "validation/target_following"
SELECTED_BY = "the distance from perfect target following and identity kept, and the face error over a copied source's"
"""The two parts of the metric, in words."""


def selection_key(study: Path, trial: Trial) -> tuple[bool, float]:
    """The order of an arm's seeds: diverged ones last, then by score on validation clips."""
    folder = trial_folder(study, trial)
    scores = [row.metrics[SELECTION] for row in folder.rows() if SELECTION in row.metrics]
    return folder.state().state == "DIVERGED", scores[-1] if scores else float("inf")


def shown_trials(plan: Plan, study: Path, has_checkpoint: Callable[[Trial], bool] | None = None) -> dict[str, Trial]:
    """Each arm's trial to show: that of the lowest seed that has a checkpoint.

    Checkpoints are looked for in the study folder, unless `has_checkpoint` tells otherwise.
    """
    has = has_checkpoint or (lambda trial: trial_folder(study, trial).checkpoint.exists())
    shown: dict[str, Trial] = {}
    for arm in plan.arms:
        ready = [t for t in plan.trials if t.arm == arm.name and has(t)]
        if ready:
            shown[arm.name] = min(ready, key=lambda trial: trial.seed)
    return shown


def runs_of_arms(plan: Plan, study: Path) -> dict[str, list[Trial]]:
    """Each arm's trials that have rows of metrics, by seed."""
    begun = sorted((t for t in plan.trials if trial_folder(study, t).rows()), key=lambda trial: trial.seed)
    return {arm.name: [trial for trial in begun if trial.arm == arm.name] for arm in plan.arms}


def _copies(study: Path, trials: Sequence[Trial]) -> bool:
    """Whether the generators of an arm, on validation clips, follow as little as a copy; False where that was not measured."""
    last = [
        [row.metrics[_FOLLOWING] for row in trial_folder(study, t).rows() if _FOLLOWING in row.metrics][-1:] for t in trials
    ]
    found = [value for values in last for value in values]
    return bool(found) and fmean(found) < MAX_COPY_FOLLOWING


def best_generator(plan: Plan, study: Path) -> Trial | None:
    """The trial whose generator to register: the median seed of the arm with the lowest mean score on validation clips.

    Of an even number of seeds it is the worse of the middle two. The best seed would promise more than training again gives.
    Arms with a diverged run, or with a run without a validation score, are left out; None if no arm remains. An arm that copies
    the source on validation clips comes after all arms that do not: blurred faces that follow can score worse than a copy.
    """
    runs = {arm: sorted(trials, key=lambda t: selection_key(study, t)) for arm, trials in runs_of_arms(plan, study).items()}
    keys = {arm: [selection_key(study, trial) for trial in trials] for arm, trials in runs.items() if trials}
    means = {
        arm: fmean(score for _, score in found)
        for arm, found in keys.items()
        if not any(diverged or score == float("inf") for diverged, score in found)
    }
    if not means:
        return None
    best = runs[min(means, key=lambda arm: (_copies(study, runs[arm]), means[arm]))]
    return best[len(best) // 2]

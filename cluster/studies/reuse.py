"""Take over trials that another study in the same folder has finished, in place of training them again."""

import os
import shutil
from pathlib import Path

from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.files import replacing
from facegan.study.design.plan import WARM_UP, Plan, Trial
from facegan.study.folder.study_folder import PLAN
from facegan.study.folder.trial_folder import TrialFolder, trial_folder

_NOT_COPIED = shutil.ignore_patterns(".writer", "*.partial")


def copy_finished_trials(plan: Plan, store: StudyStore) -> list[str]:
    """Copy what the plan lacks from the studies beside this one, which is a local folder; returns the keys of what was copied.

    A trial's key is a hash of everything that decides its result, so a trial of the same key is the same trial. Nothing is
    copied for a study in a bucket.
    """
    if store.location.is_remote:
        return []
    copied = []
    for trial in store.not_ended([*plan.warm_ups(), *plan.trials]):
        own = trial_folder(store.folder, trial).path
        found = next((other for other in _elsewhere(store.folder, trial.key) if _is_finished(other, trial)), None)
        if found is not None:
            with replacing(own) as partial:
                shutil.copytree(found.path, partial, ignore=_NOT_COPIED)
            copied.append(trial.key)
    return copied


def _elsewhere(study: Path, key: str) -> list[TrialFolder]:
    """The folders in which other studies of this user would have the trial."""
    plans = sorted(study.parent.glob(f"*/{PLAN}"))
    own = [plan for plan in plans if plan.parent != study and plan.stat().st_uid == os.getuid()]
    return [TrialFolder(plan.parent / "trials" / key) for plan in own]


def _is_finished(found: TrialFolder, trial: Trial) -> bool:
    """Whether a folder has all that a study needs of this trial: its checkpoint and, unless it is a warm-up, its scores."""
    try:
        is_scored = trial.arm == WARM_UP or found.scores() is not None
        return found.state().state == "COMPLETED" and found.checkpoint.is_dir() and is_scored
    except UserError:  # damaged: it is trained again
        return False

"""The state of a study while it runs or after it was interrupted, from its folder alone."""

import time
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import median

from facegan.study.analysis.model_selection import SELECTION
from facegan.study.design.plan import WARM_UP, Plan, Trial
from facegan.study.folder.trial_folder import FINAL, MetricsRow, State, trial_folder

_SILENT_SECONDS, _SILENT_REPORTS = 120.0, 10
_AFTER_A_JOB_SECONDS = 10.0
"""A running trial without news for so long, and for so many of its usual intervals, may have ended with its job."""


@dataclass(frozen=True, slots=True)
class TrialStatus:
    """One trial."""

    key: str
    arm: str
    """The label of the arm."""
    seed: int
    candidate: int
    state: State
    images: int
    share: float
    """Of the trial's budget, from 0 to 1; 1 for a trial that has ended, also if ASHA stopped it early."""
    seconds: float
    """Of training."""
    images_per_second: float
    """Of training, over all rows; 0 before the first."""
    silent_seconds: float | None
    """Since a running trial wrote rows, by the modification time of their file; None for others, and before the first row."""
    is_silent: bool
    """Whether it runs no longer, as far as can be told from its rows."""
    score: float | None
    """Its last score on validation clips, `SELECTION`; less is better."""
    error: str


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """A study."""

    plan: str
    """The plan's id."""
    design: str
    preset: str
    synthetic: bool
    trials: tuple[TrialStatus, ...]
    seconds_spent: float
    """Of training, over all trials."""
    seconds_left: float | None
    """Until all trials have trained, at the rate of those that run now; 0 if none is left, None if none runs."""
    has_job: bool | None
    """Whether a job works on the study; None if this is not known."""


def study_status(plan: Plan, study: Path, job_since: float | None = None, has_job: bool | None = None) -> StudyStatus:
    """The status of a study whose folder is `study`. Raises UserError if a file of it is damaged.

    `job_since` is when the job that is known to run now began, as the modification time of a file in the folder. Trials with
    later rows are not silent, whatever this machine's clock says. If it is known that there is no job, those are silent that
    wrote no row for some seconds.
    """
    patience = _AFTER_A_JOB_SECONDS if has_job is False else None
    trials = tuple(_trial(plan, study, trial, job_since, patience) for trial in (*plan.warm_ups(), *plan.trials))
    goals = [_goal(plan, trial) for trial in (*plan.warm_ups(), *plan.trials)]
    left = sum((1 - trial.share) * goal for trial, goal in zip(trials, goals, strict=True))
    unit = [trial.images_per_second if plan.budget.seconds is None or trial.arm == WARM_UP else 1.0 for trial in trials]
    rate = sum(each for trial, each in zip(trials, unit, strict=True) if trial.state == "RUNNING" and not trial.is_silent)
    return StudyStatus(
        plan=plan.id(),
        design=plan.design,
        preset=plan.preset,
        synthetic=plan.data.synthetic,
        trials=trials,
        seconds_spent=sum(trial.seconds for trial in trials),
        seconds_left=0.0 if not left else left / rate if rate else None,
        has_job=has_job,
    )


def _trial(plan: Plan, study: Path, trial: Trial, job_since: float | None, patience: float | None) -> TrialStatus:
    folder = trial_folder(study, trial)
    state, rows = folder.state(), folder.rows()
    done = state.images if plan.budget.seconds is None or trial.arm == WARM_UP else state.seconds
    is_over = state.state in FINAL
    # Not the time in the rows, which is by the clock of the node that wrote them.
    written = folder.rows_written() if rows and state.state == "RUNNING" else None
    silent = None if written is None else max(0.0, time.time() - written)
    in_this_job = written is not None and job_since is not None and written >= job_since
    limit = patience or _patience(rows, done >= _goal(plan, trial))
    scores = [row.metrics[SELECTION] for row in rows if SELECTION in row.metrics]
    return TrialStatus(
        key=trial.key,
        arm=next((arm.label for arm in plan.arms if arm.name == trial.arm), WARM_UP),
        seed=trial.seed,
        candidate=trial.candidate,
        state=state.state,
        images=state.images,
        share=1.0 if is_over else min(1.0, done / _goal(plan, trial)),
        seconds=state.seconds,
        images_per_second=state.images / state.seconds if state.seconds else 0.0,
        silent_seconds=silent,
        # Without a row yet, only the end of its job tells.
        is_silent=state.state == "RUNNING" and not in_this_job and (silent > limit if silent is not None else bool(patience)),
        score=scores[-1] if scores else None,
        error=state.error,
    )


def _goal(plan: Plan, trial: Trial) -> float:
    return trial.config.images if plan.budget.seconds is None or trial.arm == WARM_UP else plan.budget.seconds


def _patience(rows: list[MetricsRow], is_scored: bool) -> float:
    """Seconds without a row after which a trial is taken to have ended, if it is not known whether its job runs."""
    if is_scored:  # takes long and writes no row
        return inf
    intervals = [later.time - row.time for row, later in pairwise(rows)]
    return max(_SILENT_SECONDS, _SILENT_REPORTS * median(intervals) if intervals else 0.0)


def progress_metrics(status: StudyStatus) -> dict[str, float]:
    """The numbers of the whole study by name, for an experiment tracker. What is not known yet is left out."""
    scores = [trial.score for trial in status.trials if trial.score is not None]
    found = {
        "study/share": sum(trial.share for trial in status.trials) / len(status.trials),
        "study/images": float(sum(trial.images for trial in status.trials)),
        "study/trials_ended": float(sum(trial.state in FINAL for trial in status.trials)),
        "study/trials_failed": float(sum(trial.state == "FAILED" for trial in status.trials)),
        "study/seconds_spent": status.seconds_spent,
        "study/seconds_left": status.seconds_left,
        "study/best_validation_score": min(scores, default=None),
    }
    return {name: value for name, value in found.items() if value is not None}

"""How far a study is, as metrics of its run."""

from pathlib import Path

from facegan.study.analysis.study_status import study_status
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import FINAL


def progress_metrics(plan: Plan, study: Path) -> dict[str, float]:
    """By name: the numbers that jobs/status.py shows of the whole study. What is not known yet is left out."""
    status = study_status(plan, study)
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

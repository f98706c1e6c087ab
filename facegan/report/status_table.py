"""The status of a study as a table for a terminal or a log."""

from collections import Counter

from facegan.report.formatting import duration
from facegan.study.analysis.study_status import StudyStatus, TrialStatus

_COLUMNS = ["arm", "trained", "images/s", "best score", "trials"]
_ORDER = ("COMPLETED", "STOPPED", "DIVERGED", "RUNNING", "PAUSED", "FAILED", "PENDING")


def status_lines(status: StudyStatus) -> list[str]:
    """A head line, a table with a row for each arm, and a line for each trial that needs a look."""
    arms = dict.fromkeys(trial.arm for trial in status.trials)
    rows = [_COLUMNS, *(_row(arm, [trial for trial in status.trials if trial.arm == arm]) for arm in arms)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [_head(status), "", *table, *_lines(status)]


def _head(status: StudyStatus) -> str:
    share = sum(trial.share for trial in status.trials) / len(status.trials)
    left = status.seconds_left
    idle = "its job works, no trial trains" if status.has_job else "nothing runs"
    when = "all have trained" if left == 0 else idle if left is None else f"ETA {duration(left)}"
    faces = ", SYNTHETIC faces" if status.synthetic else ""
    return (
        f"{status.design}, {status.preset}, plan {status.plan}{faces}: {share:.0%} of {len(status.trials)} trials, "
        f"{duration(status.seconds_spent)} of training spent, {when}"
    )


def _row(arm: str, trials: list[TrialStatus]) -> list[str]:
    states = Counter("SILENT" if trial.is_silent else trial.state for trial in trials)
    running = [trial.images_per_second for trial in trials if trial.state == "RUNNING" and not trial.is_silent]
    # A score of fewer images, as of a candidate that was stopped, is not compared with one of all of them.
    whole = [trial for trial in trials if trial.state == "COMPLETED"]
    scores = [trial.score for trial in whole or trials if trial.score is not None]
    return [
        arm,
        f"{sum(trial.share for trial in trials) / len(trials):.0%}",
        f"{sum(running):.1f}" if running else "-",
        f"{min(scores):.3f}" if scores else "-",
        ", ".join(f"{states[name]} {name.lower()}" for name in (*_ORDER, "SILENT") if states[name]),
    ]


def _lines(status: StudyStatus) -> list[str]:
    lines = []
    for trial in status.trials:
        name = f"{trial.arm} seed {trial.seed}" + (f" candidate {trial.candidate}" if trial.candidate else "")
        if trial.is_silent:
            since = "no row yet" if trial.silent_seconds is None else f"no row for {duration(trial.silent_seconds)}"
            ended = "its job has ended: run it again" if status.has_job is False else "if its job has ended, run it again"
            lines.append(f"silent   {name}: {since}; {ended}")
        elif trial.error:
            lines.append(f"{trial.state:<8} {name}: {trial.error}")
    return ["", *lines] if lines else []

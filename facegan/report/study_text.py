"""What a study is and what it found, as text for the console and in Markdown."""

from collections.abc import Sequence

from facegan.metrics.table import display_name
from facegan.report.change_table import change_lines
from facegan.report.formatting import duration
from facegan.report.score_table import label_width, study_table
from facegan.study.conclusions.claim_records import NOT_ESTIMABLE
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Plan


def plan_lines(plan: Plan, study: str) -> list[str]:
    """A plan in a few lines; `study` is the study's location."""
    faces = "SYNTHETIC faces" if plan.data.synthetic else "real faces"
    images, seconds = sum(trial.config.images for trial in plan.trials), plan.budget.seconds
    amount = f"{images} images" if seconds is None else f"{seconds * len(plan.trials):g} s of training"
    lines = [
        f"study    {study}: {plan.design}, {len(plan.trials)} trials, {amount}, {faces}, VGG-19 {plan.vgg}",
        # jobs/doctor.py prints the same hash, to compare the code on other machines.
        f"code     {plan.code} (commit {plan.commit})",
        f"precision {plan.base.optim.precision}{', chosen for this machine' if plan.auto_precision else ''}",
    ]
    return lines if plan.budget.kind == "images" else [*lines, f"budget   equal {plan.budget.equalised()}"]


def look_lines(plan: Plan, summary: Summary, seeds: Sequence[int]) -> list[str]:
    """What a look at a growing study found, and that it goes on with these seeds."""
    answers = "; ".join(f"{claim.claim} {claim.answer}" for claim in summary.claims)
    answers = summary.change.sentence if summary.change else answers
    left = sum(look > len(plan.seeds) for look in plan.analysis.looks)
    return [f"look     {len(plan.seeds)} seeds, {left} looks left: {answers}; going on with seeds {' '.join(map(str, seeds))}"]


def analysis_line(summary: Summary) -> str:
    """The hash of the analysis plan, the looks that are left, and what was changed after the plan was written."""
    analysis, seeds = summary.study.analysis, len(summary.study.seeds)
    parts = [f"analysis {analysis.digest}, planned before the first trial"]
    if analysis.looks:
        left = sum(look > seeds for look in analysis.looks)
        parts.append(f"look at {seeds} of at most {analysis.looks[-1]} seeds, {left} look{'s' * (left != 1)} left")
    parts += [f"changed after {change.results_seen} results were seen: {change.what}" for change in analysis.changes]
    return "; ".join([*parts, analysis.deviation] if analysis.deviation else parts)


def result_lines(summary: Summary) -> list[str]:
    """The main scores, the verdict on each arm, and the answers to the claims or about the change."""
    width = label_width(arm.label for arm in summary.arms)
    verdicts = [f"  {arm.label:<{width}} {arm.verdict.split(':')[0]}" for arm in summary.arms]
    unanswered = [claim for claim in summary.claims if claim.answer == NOT_ESTIMABLE]
    claims = [f"\n  {claim.question}\n  {claim.sentence}" for claim in summary.claims if claim not in unanswered]
    if unanswered:
        claims.append(
            f"\n  {len(unanswered)} of {len(summary.claims)} questions that this design cannot answer: see the report"
        )
    change = ["", *change_lines(summary.change)] if summary.change else []
    cost = summary.cost.sentences if summary.cost else ()
    scores = [*study_table(summary), "", *diverged_lines(summary)]
    steps = [f"next     {line}" for line in next_step_lines(summary)]
    return [*scores, *verdicts, *claims, *change, "", analysis_line(summary), *cost, *steps]


def next_step_lines(summary: Summary) -> list[str]:
    """What to run next, with its price."""
    lines = []
    for step in summary.next_steps:
        hours = "" if step.hours is None else f", {duration(3600 * step.hours)}"
        usd = "" if step.usd is None else f", ${step.usd:.2f}"
        lines.append(f"{step.flags} ({step.runs} runs{hours}{usd}). {step.sentence}")
    return lines


def diverged_lines(summary: Summary) -> list[str]:
    """Which runs have no scores because a term of their loss was not finite, and which term that was."""
    labels = {arm.name: arm.label for arm in summary.arms}
    runs = [trial for trial in summary.trials if trial.state == "DIVERGED"]
    return [f"  DIVERGED        {labels[run.arm]} seed {run.seed}, which has no scores: {run.error}" for run in runs]


def markdown_answers(summary: Summary) -> str:
    """The study's answers as a list in Markdown."""
    claims = [f"- **{claim.question}** {claim.sentence}" for claim in summary.claims]
    answers = [f"- **{row.factor}, {display_name(row.metric)}**: {row.answer}; {row.sentence}" for row in summary.answers]
    arms = [f"- **{arm.label}** {arm.verdict}" for arm in summary.arms]
    if summary.change:
        answers.append(f"- {summary.change.sentence}")
    if summary.effects and summary.effects.replaced:
        answers.append(f"- {summary.effects.replaced}.")
    steps = [f"- Next: {line}" for line in next_step_lines(summary)]
    return "\n".join([*claims, *answers, *steps, f"- {analysis_line(summary)}", *arms])

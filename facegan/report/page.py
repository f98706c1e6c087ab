"""report.html: the results of a study in one file, which loads nothing from elsewhere."""

import base64
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from facegan.config import Config
from facegan.files import write_bytes
from facegan.metrics.discrimination import sentence
from facegan.metrics.table import HEADLINES, METRICS, display_name, formatted, meaning
from facegan.report.change_table import cost_lines
from facegan.report.forest_plot import forest_plots, interaction_matrices
from facegan.report.formatting import duration, p_text
from facegan.report.search_text import begun_candidates, candidates_sentence, rung_sentence, search_notes, values_text
from facegan.report.study_text import analysis_line
from facegan.report.versions import installed_versions
from facegan.study.analysis.effect_records import StudyEffects, VarianceComponents
from facegan.study.conclusions.arms import ScoreSummary
from facegan.study.conclusions.gradients import RULE
from facegan.study.conclusions.summary import ArmDescription, Summary

_ROW_MEANINGS = {
    "real target": "the target frame itself: the best possible score",
    "source copied": "the score of a generator that ignores the landmarks",
    "source warped": "the source moved to the target landmarks without a network: what a network must beat",
    "another person": "a real frame of another person",
}
_LARGEST_PNG = 4_000_000


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A row of the table of scores."""

    name: str
    note: str
    scores: dict[str, ScoreSummary]
    is_reference: bool


@dataclass(frozen=True, slots=True)
class EffectColumns:
    """Which columns of the table of effects have a value in any row, and whether a thin line is drawn."""

    thin: bool
    pooled: bool
    detectable: bool
    missing: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """The loss weights and images of a trial that are not those of the base configuration."""

    arm: str
    seed: int
    changed: dict[str, float]


def write_report(study: Path, summary: Summary, config: Config, *, include_faces: bool = False) -> None:
    """Write report.html into the study folder.

    `config` is the base configuration. Images of real people are embedded only with `include_faces`.
    """
    folder = Path(__file__).parent / "templates"
    page = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page.filters.update(
        number=lambda value, metric: formatted(metric, value),
        count=_count,
        duration=duration,
        signed=_signed,
        p_value=p_text,
        words=_words,
        begun_candidates=begun_candidates,
        rung_sentence=rung_sentence,
        values_text=values_text,
        display_name=display_name,
    )
    show_faces = summary.data.synthetic or include_faces
    notes, rows = _notes(summary), _score_rows(summary)
    measured = [m for m in METRICS if any(m in row.scores and row.scores[m].mean is not None for row in rows)]
    evaluator = sentence(summary.discrimination, "identity evaluator") if summary.discrimination else ""
    text = page.get_template("report.html").render(
        **{field.name: getattr(summary, field.name) for field in fields(summary)},
        provenance=asdict(summary.data),
        labels={arm.name: arm.label for arm in summary.study.arms},
        images=_images(study, show_faces),
        show_faces=show_faces,
        folder=str(study.resolve()),
        metrics={metric: meaning(metric) for metric in METRICS},
        notes=notes,
        missing_weights=[metric for metric, note in notes.items() if "weights missing" in note],
        evaluator=evaluator,
        gradient_rule=RULE,
        forest_plots=forest_plots(summary.effects),
        matrices=interaction_matrices(summary.effects),
        columns=_columns(summary.effects),
        left_out=[arm.label for arm in summary.arms if not arm.in_effects],
        copying=[a.label for a in summary.arms if a.in_effects and any(caveat.kind == "copy" for caveat in a.caveats)],
        variances=_variances(summary.effects),
        answer_of={(answer.metric, answer.factor): answer.answer for answer in summary.answers},
        starts_trained=config.start == "shipped" or config.warm_up > 0,
        score_rows=rows,
        main_metrics=[metric for metric in measured if METRICS[metric].console or METRICS[metric].tracked],
        other_metrics=[metric for metric in measured if not (METRICS[metric].console or METRICS[metric].tracked)],
        large_pose=_metrics_of_large_pose(summary),
        analysis_text=analysis_line(summary),
        config=config.flat(),
        differences=_differences(summary, config),
        search_cost=candidates_sentence(summary.search) if summary.search else "",
        search_notes=search_notes(summary.search) if summary.search else [],
        searched_values=_searched_values(summary),
        trained={a.name: _trained(a, config) for a in summary.study.arms},
        change_cost=cost_lines(summary.change.cost) if summary.change else [],
        has_errors=any(trial.error for trial in summary.trials),
        versions=installed_versions(),
    )
    write_bytes(study / "report.html", text.encode())


def _trained(arm: ArmDescription, config: Config) -> str:
    """How an arm differs from the base configuration."""
    without = [term.replace("_", " ") for term in arm.without if config.loss.weights()[term]]
    parts = [f"without {', '.join(without)}"] if without else []
    parts += [f"{name} {value}, base {config.flat()[name]}" for name, value in arm.changes.items()]
    return "; ".join(parts) or "all terms"


def _images(study: Path, show_faces: bool) -> dict[str, str]:
    """data: URLs of the figures that exist and may be shown."""
    plots = ("search", "plane", "plane_narrow", "effects", "losses", "losses_images", "gradient_diagnostics")
    names = (*plots, "figure2", "contact_sheet") if show_faces else plots
    return {name: _data_url(study / f"{name}.png") for name in names if (study / f"{name}.png").exists()}


def _data_url(path: Path) -> str:
    """The image as a data: URL; a large PNG is converted to JPEG."""
    content, kind = path.read_bytes(), "png"
    if len(content) > _LARGEST_PNG:
        image = cv2.imread(str(path))
        assert image is not None, f"{path} does not decode"
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        content, kind = encoded.tobytes(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _score_rows(summary: Summary) -> list[ScoreRow]:
    references = [ScoreRow(name, _ROW_MEANINGS.get(name, ""), scores, True) for name, scores in summary.references.items()]
    arms = []
    for arm in summary.arms:
        count = len(arm.scored)
        note = "no scores yet" if not count else "1 run" if count == 1 else f"mean of {count} runs"
        arms.append(ScoreRow(arm.label, note, arm.scores, False))
    return references + arms


def _columns(effects: StudyEffects | None) -> EffectColumns:
    found = [effect for by_metric in (effects.metrics.values() if effects else ()) for effect in by_metric.effects]
    return EffectColumns(
        thin=any(effect.interval is None for effect in found),
        pooled=any(effect.pooled for effect in found),
        detectable=any(effect.detectable is not None for effect in found),
        missing=any(effect.if_missing for effect in found),
    )


def _variances(effects: StudyEffects | None) -> dict[str, VarianceComponents]:
    """By headline metric, where they are known and anything varies."""
    found = effects.metrics if effects else {}
    return {metric: m.variance for metric, m in found.items() if m.variance is not None and m.variance.shares}


def _metrics_of_large_pose(summary: Summary) -> list[str]:
    """The headline metrics that any row has on pairs with a large change of pose."""
    rows = [*summary.references.values(), *(arm.scores for arm in summary.arms)]
    return [m for m in HEADLINES if any(m in row and row[m].large_pose is not None for row in rows)]


def _notes(summary: Summary) -> dict[str, str]:
    """Why a metric was not measured, by metric."""
    cards = [*summary.references.values(), *(arm.scores for arm in summary.arms)]
    return {metric: score.note for card in cards for metric, score in card.items() if score.note}


def _differences(summary: Summary, config: Config) -> list[Difference]:
    base = config.loss.weights()
    rows = []
    for trial in summary.trials:
        changed = {f"loss.{term}": value for term, value in trial.weights.items() if value != base[term]}
        if trial.planned_images is not None and trial.planned_images != config.images:
            changed["images"] = trial.planned_images
        rows.append(Difference(trial.arm, trial.seed, changed))
    return rows


def _searched_values(summary: Summary) -> dict[str, str]:
    """The searched values of each arm that a search has tuned, or has left as configured, in words."""
    return {
        row.arm: values_text(candidate.values)
        for found, tuned in zip(summary.search.arms if summary.search else (), summary.finalists, strict=True)
        for row in tuned.finalists
        for candidate in found.candidates
        if candidate.number == row.number
    }


def _signed(value: float) -> str:
    """Three significant digits with the sign."""
    return f"{value:+.3g}".replace("-", "\u2212")


def _words(name: str) -> str:
    """A factor's or effect's name without underscores."""
    return name.replace("_", " ").replace("~", " and ")


def _count(value: float) -> str:
    """12345 as '12 345', with narrow spaces that do not break."""
    return f"{value:,.0f}".replace(",", "\u202f")

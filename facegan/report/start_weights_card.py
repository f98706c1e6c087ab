"""The card of the start weights that come with facegan, from the study that trained them."""

from pathlib import Path

from facegan.metrics.table import METRICS, display_name, formatted, meaning
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder


def card_text(study: Path, plan: Plan, summary: Summary) -> str:
    """The card in Markdown: recipe, data, scores on people who were not trained on, licence."""
    base = plan.base
    config = plan.trials[0].config
    names = [name for name, metric in METRICS.items() if metric.console]
    rows = [(arm.label if len(summary.arms) > 1 else "these weights", arm.scores) for arm in summary.arms]
    rows = [*summary.references.items(), *rows]
    table = [f"| | {' | '.join(display_name(name) for name in names)} |", f"|---|{'---|' * len(names)}"]
    for label, scores in rows:
        values = [formatted(name, scores[name].mean if name in scores else None) for name in names]
        table.append(f"| {label} | {' | '.join(values)} |")
    curve = [f"| images | {' | '.join(f'seed {t.seed}' for t in plan.trials)} |", f"|---|{'---|' * len(plan.trials)}"]
    errors = [
        {row.images: row.metrics["validation/face_error"] for row in trial_folder(study, t).rows() if _scored(row.metrics)}
        for t in plan.trials
    ]
    curve += [f"| {n:,} | {' | '.join(f'{by_seed[n]:.1f}' for by_seed in errors)} |" for n in sorted(errors[0])]
    seconds = [trial_folder(study, t).state().seconds for t in plan.trials]
    terms = ", ".join(f"{term} {weight:g}" for term, weight in config.loss.weights().items() if weight)
    return "\n".join(
        [
            "# Start weights",
            "",
            "Generator and discriminator after training without the consistency terms, one file per seed. A run of seed s",
            f"with `--start shipped` loads those of s modulo {len(plan.trials)} and begins with new optimizers. The faces are",
            "rendered; no real person was used. Written by `python jobs/warm_up.py` (`make warm-up`).",
            "",
            "| | |",
            "|---|---|",
            f"| generator | U-Net of width {base.model.generator_width}, head {base.model.head}, maps {base.model.maps} |",
            f"| discriminator | PatchGAN of width {base.model.discriminator_width} |",
            f"| loss | {terms} |",
            f"| training | {config.images:,} images of {base.data.size} pixels, batch {base.optim.batch}, Adam "
            f"{base.optim.generator_lr:g}, SGD {base.optim.discriminator_lr:g}, {base.optim.precision} |",
            f"| generator's weights | moving average, decay {base.optim.average:g} |",
            f"| data | {plan.data.rows:,} frames of rendered people, manifest sha256 {plan.data.sha256[:12]} |",
            f"| training time | {', '.join(f'{s / 60:.0f} min' for s in seconds)} on one core each, other work beside them |",
            f"| code | commit {plan.commit}, version {plan.code} |",
            "| stored as | half precision, safetensors |",
            "| licence | that of the project (MIT) |",
            "",
            "## Scores",
            "",
            "Means over test people of the same renderer, whom the weights were not trained on, and over the seeds.",
            "",
            *table,
            "",
            *(f"- {display_name(name)}: {meaning(name)}" for name in names),
            "",
            "## Face error on held-out people while training",
            "",
            *curve,
            "",
        ]
    )


def _scored(metrics: dict[str, float]) -> bool:
    return "validation/face_error" in metrics

"""The card of a registered generator: its scores, the terms of its data, what it is for and what it must not be used for."""

from dataclasses import dataclass
from pathlib import Path

from facegan.metrics.card import Card
from facegan.metrics.table import meaning
from facegan.study.analysis.model_selection import SELECTED_BY
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import trial_folder

_RENDERED = (
    "The people are rendered by facegan: no picture of a real person was used, and no terms of a data set apply. "
    "The weights have the licence of facegan (MIT)."
)
_REAL = (
    "The people are real: the terms of their data set hold for this model too. 300VW, whose layout such clips have, is for "
    "research use only; ask its authors before any other use. Pass the model on only as far as the data set's terms and the "
    "consent of its people allow."
)
_INTENDED = (
    "Research on what each term of the loss does to identity, to following the target landmarks and to image quality.",
    "Drawing people who agreed to it. It draws the kind of faces that it was trained on, {faces} ones.",
)
_MUST_NOT = (
    "Show a real person doing or saying what they did not, or show anyone without their consent.",
    "Deceive anyone about whether a picture is real.",
    "Pass a check of identity or of liveness.",
    "Find out who a person is, or judge their traits, feelings or health.",
    "Decide anything about people. How well it works for different groups of people was not measured.",
)
_MARK = (
    "The images that the model returns carry no visible mark. Whoever shows them to others marks each one visibly as drawn by "
    "a network; the live page of facegan does so."
)


@dataclass(frozen=True, slots=True)
class GeneratorCard:
    """card.json of a registered generator."""

    tags: dict[str, str]
    """Where the generator is from: study, arm, seed, faces, trial, data_terms."""
    images_seen: int
    """Training images."""
    vgg: str
    """Name of the weights of VGG-19, which the loss used."""
    data_terms: str
    """The licence or the terms of the people's pictures, in words."""
    intended_use: tuple[str, ...]
    must_not_be_used_to: tuple[str, ...]
    visible_mark: str
    onnx_difference: float
    """The largest difference between the drawings of the ONNX file and PyTorch's on the input example, in grey levels."""
    scores: Card
    references: dict[str, dict[str, float | None]]
    """Means of the reference rows, by row and metric."""
    verdict_on_the_arm: str


def generator_card(study: Path, trial: Trial, summary: Summary, onnx_difference: float) -> GeneratorCard:
    """The card of a trial's generator, from the files and the summary of its study."""
    arm = next(arm for arm in summary.arms if arm.name == trial.arm)
    folder, rendered = trial_folder(study, trial), summary.data.synthetic
    faces = "rendered" if rendered else "real"
    return GeneratorCard(
        tags={
            "study": study.name,
            "arm": arm.label,
            "seed": str(trial.seed),
            "faces": faces,
            "trial": trial.key,
            "data_terms": "none (rendered people)" if rendered else "those of the data set; 300VW: research use only",
        },
        images_seen=folder.state().images,
        vgg=summary.study.vgg,
        data_terms=_RENDERED if rendered else _REAL,
        intended_use=tuple(use.format(faces=faces) for use in _INTENDED),
        must_not_be_used_to=_MUST_NOT,
        visible_mark=_MARK,
        onnx_difference=onnx_difference,
        scores=folder.scores() or {},
        references={row: {metric: found.mean for metric, found in cells.items()} for row, cells in summary.references.items()},
        verdict_on_the_arm=arm.verdict,
    )


def card_text(card: GeneratorCard, model: str, size: int) -> str:
    """The card in Markdown; `model` is the name of the registered model, `size` that of its images in pixels."""
    tags = card.tags
    return "\n".join(
        [
            f"Generator of **{tags['arm']}**, seed {tags['seed']}, {card.images_seen} images of {tags['faces']} faces",
            f"(study {tags['study']}, VGG-19 {card.vgg}). The arm {card.verdict_on_the_arm}",
            "",
            f"**Data.** {card.data_terms}",
            "",
            f"**Intended use.** {' '.join(card.intended_use)}",
            "",
            "**It must not be used to**",
            "",
            *(f"- {sentence[0].lower()}{sentence[1:]}" for sentence in card.must_not_be_used_to),
            "",
            f"**Visible mark.** {card.visible_mark}",
            "",
            "**Scores.** Selected on validation clips: the arm with the best mean over seeds, and of its seeds the middle one.",
            f"The best has the least sum of {SELECTED_BY}. Scores are",
            "means over clips of held-out people (95 % interval by resampling people), next to the reference rows.",
            "",
            *_score_table(card),
            "",
            f"**Use.** `mlflow.pyfunc.load_model('models:/{model}/<version>').predict({{'image': ..., 'landmarks': ...}})`,",
            "or `mlflow models serve`: images uint8 RGB and landmarks in pixels.",
            f"`mlflow.onnx.load_model` gives the same network as an ONNX file: `image` [1, 3, {size}, {size}] in [-1, 1] and",
            "`points` [1, 68, 2] in pixels; its drawing of the input example differs from PyTorch's by at most",
            f"{card.onnx_difference:.2g} grey levels.",
        ]
    )


def _score_table(card: GeneratorCard) -> list[str]:
    rows = []
    for metric, found in card.scores.items():
        between = " | ".join(_number(means.get(metric)) for means in card.references.values())
        low, high = found.interval or (None, None)
        own = f"{_number(found.mean)} ({_number(low)} to {_number(high)})"
        rows.append(f"| {metric} | {own} | {between} | {found.note or meaning(metric)} |")
    head = " | ".join(card.references)
    return [f"| score | this generator | {head} | |", "|---|---|" + "---|" * len(card.references) + "---|", *rows]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

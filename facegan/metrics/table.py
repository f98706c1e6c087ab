"""The metrics: what each one means, which direction is better, and where it is shown.

No other module repeats these facts. The metric card, the effects, the report, the console and MLflow read it. To add a metric,
add a row here and compute its values in `facegan.metrics.measure`.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A score of generated images of people who were not trained on."""

    meaning: str
    better: Literal["more", "less", ""]
    """Empty where neither is better and the metric only describes."""
    digits: int
    """Number of decimals in tables."""
    display_name: str = ""
    """Name in texts; by default the metric's own name with spaces."""
    smallest_effect: float = 0.0
    """The smallest difference of interest, as the analysis plan declares it; 0: none is declared."""
    headline: int = 0
    """Position among the metrics whose effects are analysed, from 1; 0: not among them."""
    stand_in: str = ""
    """For a headline: the metric that is analysed instead if a run has no value of it on most clips."""
    console: bool = False
    """Whether it is in the table that a study prints at its end."""
    tracked: bool = False
    """Whether it is logged to the tracker. MLflow's UI is slow with many keys, so not all are; scores.json has all."""


METRICS: dict[str, Metric] = {
    "face_error": Metric(
        meaning="mean absolute error inside the face, grey levels of 255",
        better="less",
        digits=1,
        smallest_effect=1.0,
        headline=3,
        console=True,
        tracked=True,
    ),
    "landmark_error": Metric(
        meaning="mean distance of found to target landmarks, over the eye distance; images with a found face only",
        better="less",
        digits=3,
        smallest_effect=0.01,
        headline=2,
        stand_in="landmark_auc",
        console=True,
        tracked=True,
    ),
    "landmark_auc": Metric(
        meaning="area under the cumulative curve of the landmark error up to 0.08; an image without a face counts as a failure",
        better="more",
        digits=3,
        smallest_effect=0.05,
        display_name="landmark area up to 0.08 (no face counts as failure)",
    ),
    "landmark_failure": Metric(
        meaning="share of images with a landmark error above 0.08 or without a face", better="less", digits=2
    ),
    "faces_found": Metric(
        meaning="share of images in which the landmark evaluator finds a face", better="more", digits=2, tracked=True
    ),
    "identity_to_target": Metric(
        meaning="cosine of the face embeddings of image and target",
        better="more",
        digits=3,
        smallest_effect=0.01,
        headline=1,
        console=True,
        tracked=True,
    ),
    "identity_to_source": Metric(meaning="cosine of the face embeddings of image and source", better="", digits=3),
    "ssim": Metric(
        meaning="structural similarity to the target", better="more", digits=3, smallest_effect=0.02, console=True, tracked=True
    ),
    "psnr": Metric(meaning="peak signal to noise ratio against the target, dB", better="more", digits=1),
    "lpips": Metric(meaning="perceptual distance to the target (AlexNet)", better="less", digits=3),
    "kid": Metric(
        meaning="kernel inception distance between the images and their targets as sets; unbiased, so it can be below 0",
        better="less",
        digits=4,
    ),
    "identity_jitter": Metric(
        meaning="1 - cosine of the face embeddings of a frame and the next; more than the real target's is flicker",
        better="",
        digits=4,
    ),
    "landmark_jitter": Metric(
        meaning="change of found minus target landmarks from a frame to the next, over the eye distance",
        better="less",
        digits=3,
    ),
    "source_likeness": Metric(
        meaning="0: inside the face it equals the target, 1: it equals the source, above 0.5: it is closer to the source",
        better="",
        digits=2,
        console=True,
        tracked=True,
    ),
}

HEADLINES: tuple[str, ...] = tuple(
    sorted((name for name, metric in METRICS.items() if metric.headline), key=lambda name: METRICS[name].headline)
)
"""The metrics whose effects are analysed, in order."""


def display_name(metric: str) -> str:
    """The name of a metric in a text."""
    return METRICS[metric].display_name or metric.replace("_", " ")


def meaning(metric: str) -> str:
    """What a metric measures and which direction is better."""
    found = METRICS[metric]
    return f"{found.meaning}; {found.better} is better" if found.better else found.meaning


def formatted(metric: str, value: float | None) -> str:
    """A value with the decimals of its metric; '-' for None (not measured)."""
    return "-" if value is None else f"{value:.{METRICS[metric].digits}f}"

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
    "target_following": Metric(
        meaning="how far the found landmarks went from the source's, 0 (source copied), to the target's, 1 (real target); an "
        "image without a face counts as 0",
        better="more",
        digits=2,
        smallest_effect=0.1,
        headline=1,
        console=True,
        tracked=True,
    ),
    "identity_kept": Metric(
        meaning="how much the found face is the person's: 0 as another person in that pose, 1 as the real target, each "
        "compared with a third frame of the person; an image without a face counts as 0",
        better="more",
        digits=2,
        smallest_effect=0.1,
        headline=2,
        console=True,
        tracked=True,
    ),
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
        headline=4,
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
        meaning="cosine of the embeddings of the found faces of image and target; images with a found face only. A copy of the "
        "source scores well: read it beside target following",
        better="more",
        digits=3,
    ),
    "identity_to_source": Metric(
        meaning="cosine of the embeddings of the found faces of image and source; images with a found face only",
        better="",
        digits=3,
    ),
    "pixel_following": Metric(
        meaning="how far the pixels of the face went from the source's, 0, to the target's, 1; read it beside off axis",
        better="more",
        digits=2,
    ),
    "off_axis": Metric(
        meaning="how far the pixels of the face went elsewhere than to the target, in distances from source to target",
        better="less",
        digits=2,
    ),
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
    ),
    "consistency_ratio": Metric(
        meaning="error of the way back to the source from the real target, over that from the image itself; above 1 the way "
        "back works better on the network's own image",
        better="less",
        digits=1,
    ),
    "after_noise": Metric(
        meaning="error of the way back after noise of 2 grey levels is added to the image, over that without",
        better="less",
        digits=2,
    ),
    "after_jpeg": Metric(
        meaning="error of the way back after the image is stored as a JPEG of quality 90, over that without",
        better="less",
        digits=2,
    ),
    "after_rounding": Metric(
        meaning="error of the way back after the image is rounded to 8 bits, over that without", better="less", digits=2
    ),
    "following_measured": Metric(
        meaning="share of pairs on which target following is measured: a face is found in both real frames, and it moves",
        better="",
        digits=2,
    ),
    "identity_measured": Metric(
        meaning="share of pairs on which identity kept is measured: a face is found in the real frames, and the evaluator "
        "tells the people apart",
        better="",
        digits=2,
    ),
}

PROBES = ("consistency_ratio", "after_noise", "after_jpeg", "after_rounding")
"""The metrics of a generator that no image alone has: does it hide in its image what leads back to the source?"""

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
    """A value with the decimals of its metric; '-' for None (not measured). A value that rounds to zero has no sign."""
    return "-" if value is None else f"{value:z.{METRICS[metric].digits}f}"

"""Opens what a video is made of: the person, the driving clip, and the generators of a study's arms."""

from collections.abc import Sequence
from pathlib import Path

import torch

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.inference import Generate, image_generator
from facegan.metrics.evaluation_config import EvaluatorsConfig
from facegan.metrics.evaluators import build_evaluators
from facegan.reenact.film import Reenactment
from facegan.reenact.frame_scores import FrameScores
from facegan.reenact.inputs import RENDERED, Landmarks, open_clip, rendered_driving
from facegan.reenact.options import ReenactOptions
from facegan.reenact.source import read_source
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator


def open_reenactment(
    source: str, driving: str, landmarks: Landmarks, ingest: IngestConfig, options: ReenactOptions, arms: dict[str, Generate]
) -> Reenactment:
    """The person and the clip at two paths that `check_path` has accepted; `arms` draw the columns.

    Raises UserError if there is no face in the source, or no clip.
    """
    person = read_source(source, ingest, landmarks, options.rate)
    clip = rendered_driving() if driving == RENDERED else open_clip(driving, "--driving", landmarks, options.rate)
    one_person = RENDERED not in (source, driving) and Path(source).resolve() == Path(driving).resolve()
    return Reenactment(person, clip, arms, ingest, options, one_person)


def arm_drawers(study: Path, arms: Sequence[tuple[Arm, Trial]], size: int, device: str) -> dict[str, Generate]:
    """By the arm's label, what draws faces of `size` pixels with the generator of its trial.

    Raises UserError if a checkpoint is damaged, or draws another size.
    """
    drawers = {}
    for arm, trial in arms:
        generator, config = load_generator(trial_folder(study, trial).checkpoint)
        if config.data.size != size:
            raise UserError(f"arm {arm.label} draws {config.data.size} pixels, the study's data set has {size}; train it again")
        drawers[arm.label] = image_generator(generator.to(device), config, torch.device(device))
    return drawers


def open_scores(reenactment: Reenactment, device: str) -> FrameScores:
    """The scores of a video, by the evaluators of a study's trials."""
    evaluators = build_evaluators(EvaluatorsConfig(), device)
    return FrameScores(reenactment.source, list(reenactment.columns()), evaluators, one_person=reenactment.one_person)


def best_device() -> str:
    """'cuda' where there is a GPU, else 'cpu'."""
    return "cuda" if torch.cuda.is_available() else "cpu"

"""The configuration of an evaluation: which networks evaluate, by which files, and how much of each test clip.

This module imports no network before it is built, so that a wrong flag is refused at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.errors import UserError
from facegan.landmarks.finder import FINDERS, FinderName

if TYPE_CHECKING:
    from facegan.inference import Images  # imports torch


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorsConfig:
    """The evaluators. They are not part of a run's configuration: any of them can evaluate the same checkpoint."""

    identity: str = "dlib"
    """'dlib' (comes with a pip package), or an ArcFace network: an .onnx file or a URI."""
    landmarks: FinderName = "dlib"
    """What finds landmarks again in a generated face."""
    landmark_weights: str = ""
    """Folder or URI with face-alignment's two files; by default where torch keeps its downloads."""
    lpips_weights: str = ""
    """torchvision's AlexNet (alexnet-owt-7be5be79.pth), a file or a URI; without it LPIPS is not measured."""
    kid_weights: str = ""
    """FID's Inception (pt_inception-2015-12-05-6726825d.pth), a file or a URI; without it KID is not measured."""
    kid_images: int = 48
    """Number of images that KID is taken over, evenly chosen among the pairs of all test clips."""

    def __post_init__(self) -> None:
        if self.identity != "dlib" and not self.identity.endswith(".onnx"):
            raise UserError(f"--evaluators.identity is {self.identity!r}: 'dlib', or a file or a URI that ends in .onnx")
        if self.landmark_weights and not FINDERS[self.landmarks].takes_weights:
            able = " or ".join(name for name, finder in FINDERS.items() if finder.takes_weights)
            raise UserError(f"--evaluators.landmark_weights is for --evaluators.landmarks {able}, not {self.landmarks}")
        if self.kid_images < 3:
            raise UserError(f"--evaluators.kid_images is {self.kid_images}: at least 3")

    def files(self) -> dict[str, str]:
        """The files of weights that were named, by their flags."""
        named = {backbone.flag: backbone.weights(self) for backbone in OPTIONAL_BACKBONES}
        named |= {"--evaluators.identity": self.identity} if self.identity != "dlib" else {}
        return {flag: value for flag, value in named.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How much of each test clip is evaluated. Every trial of a study pays for it, so the defaults are small."""

    pairs_per_clip: int = 4
    """Pairs of a source and a target frame."""
    large_pose_pairs: int = 1
    """Further pairs of each clip, chosen by the largest change of pose and scored apart; 0 leaves them out."""
    sequence_frames: int = 3
    """Consecutive frames that jitter is measured on; 0 leaves jitter out."""

    def __post_init__(self) -> None:
        if self.pairs_per_clip < 1:
            raise UserError(f"--pairs_per_clip is {self.pairs_per_clip}: at least 1")
        if self.large_pose_pairs < 0:
            raise UserError(f"--large_pose_pairs is {self.large_pose_pairs}: at least 0")
        if self.sequence_frames == 1 or self.sequence_frames < 0:
            raise UserError(f"--sequence_frames is {self.sequence_frames}: 0, or at least 2")


class PairNetwork(Protocol):
    """A network that compares images with their targets."""

    sha256: str

    def measure(self, images: "Images", targets: "Images") -> dict[str, NDArray[np.float64]]:
        """Values by name, [n] or [n, d], of n images and their n targets [n, size, size, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionalBackbone:
    """A network that is used only if the user names its file of weights.

    `name` describes it in results and may contain fields of EvaluatorsConfig in braces. `build` takes the file, the flag that
    named it and a device; it raises UserError if the file does not hold the network's weights.
    """

    metric: str
    """The metric that is not measured without it."""
    flag: str
    name: str
    weights: Callable[[EvaluatorsConfig], str]
    """The field of the configuration with the file or the URI; empty: not named."""
    build: Callable[[Path, str, str], PairNetwork]


def _lpips(file: Path, flag: str, device: str) -> PairNetwork:
    from facegan.metrics.backbones.lpips import build_lpips

    return build_lpips(file, flag).to(device)


def _inception(file: Path, flag: str, device: str) -> PairNetwork:
    from facegan.metrics.backbones.inception import build_inception

    return build_inception(file, flag).to(device)


OPTIONAL_BACKBONES: tuple[OptionalBackbone, ...] = (
    OptionalBackbone(
        metric="lpips",
        flag="--evaluators.lpips_weights",
        name="AlexNet, LPIPS 0.1",
        weights=lambda config: config.lpips_weights,
        build=_lpips,
    ),
    OptionalBackbone(
        metric="kid",
        flag="--evaluators.kid_weights",
        name="FID's Inception, {kid_images} images",
        weights=lambda config: config.kid_weights,
        build=_inception,
    ),
)

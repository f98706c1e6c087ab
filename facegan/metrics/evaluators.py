"""Who evaluators: networks for identity, landmarks, perceptual distance and KID, each named with the sha256 of its file.

A judge is never a network that a loss uses: an arm would be scored by what it was trained on.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.cache import local_weights
from facegan.config import VggConfig
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.inference import Images
from facegan.metrics.backbones.arcface import ArcFace
from facegan.metrics.backbones.dlib_networks import DlibIdentity, DlibLandmarks
from facegan.metrics.backbones.fan import FaceAlignmentLandmarks
from facegan.metrics.backbones.inception import Inception, build_inception
from facegan.metrics.backbones.lpips import Lpips, build_lpips
from facegan.metrics.backbones.weights import weight_file
from facegan.metrics.evaluation_config import EvaluatorsConfig

IMAGENET_VGG = "dcbb9e9d"
"""The start of the sha256 of VGG-19's public file."""


class IdentityEvaluator(Protocol):
    """Embeds faces [n, size, size, 3] whose landmarks [n, 68, 2] are known: [n, d], close in angle for one person."""

    name: str
    sha256: str

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, d]."""


class LandmarkEvaluator(Protocol):
    """Finds landmarks [n, 68, 2] in images of which it knows nothing; NaN where it finds no face."""

    name: str
    sha256: str

    def find(self, images: Images) -> NDArray[np.float32]:
        """[n, 68, 2]."""


@dataclass(frozen=True, slots=True)
class Evaluators:
    """The networks, built. `missing` says of each metric that cannot be measured why."""

    config: EvaluatorsConfig
    identity: IdentityEvaluator
    landmarks: LandmarkEvaluator
    lpips: Lpips | None
    inception: Inception | None
    missing: dict[str, str]

    def describe(self) -> dict[str, str]:
        """Who evaluators what, for a result: names and the sha256 of their files."""
        said = {
            judge: f"{by.name} (sha256 {by.sha256})"
            for judge, by in (("identity", self.identity), ("landmarks", self.landmarks))
        }
        if self.lpips:
            said["lpips"] = f"AlexNet, LPIPS 0.1 (sha256 {self.lpips.sha256})"
        if self.inception:
            said["kid"] = f"FID's Inception, {self.config.kid_images} images (sha256 {self.inception.sha256})"
        return {**self.missing, **said}

    def fingerprint(self) -> str:
        """Twelve hex digits: the same evaluators, the same scores."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:12]


def build_evaluators(config: EvaluatorsConfig, device: str = "cpu") -> Evaluators:
    """Load the networks; a UserError says which file is missing or wrong. dlib and onnxruntime judge on the CPU."""
    files = {flag: weight_file(value, flag) for flag, value in config.files().items()}
    lpips, kid, identity = (files.get(f"--evaluators.{name}") for name in ("lpips_weights", "kid_weights", "identity"))
    missing = {
        metric: f"not measured: weights missing (--evaluators.{metric}_weights)"
        for metric, file in (("lpips", lpips), ("kid", kid))
        if file is None
    }
    return Evaluators(
        config,
        ArcFace(identity) if identity else DlibIdentity(),
        _landmark_evaluator(config, device),
        build_lpips(lpips, "--evaluators.lpips_weights").to(device) if lpips else None,
        build_inception(kid, "--evaluators.kid_weights").to(device) if kid else None,
        missing,
    )


def _landmark_evaluator(config: EvaluatorsConfig, device: str) -> LandmarkEvaluator:
    if config.landmarks == "dlib":
        return DlibLandmarks()
    weights = config.landmark_weights
    folder = local_weights(weights) if weights else None
    return FaceAlignmentLandmarks(device, folder)


def refuse_loss_networks(config: EvaluatorsConfig, losses: Iterable[VggConfig]) -> str:
    """A UserError where a judge's file is one that a loss uses, whatever its name; how far that could be checked."""
    files = {flag: weight_file(value, flag) for flag, value in config.files().items()}
    hashes = {flag: file_sha256(file) for flag, file in files.items()}
    unknown = []
    for vgg in dict.fromkeys(losses):
        used = _loss_sha256(vgg)
        if used is None and vgg.weights != "random":
            unknown.append(vgg.weights)
        for flag, digest in hashes.items():
            if (used and digest.startswith(used)) or config.files()[flag] == vgg.weights:
                raise UserError(
                    f"{flag} is {config.files()[flag]!r}: the loss of a judged network uses it (vgg.weights {vgg.weights!r}), "
                    "so it cannot judge; name another network"
                )
    if unknown:
        return f"no judge's file has the name of a loss's; {', '.join(unknown)} not at hand to compare hashes"
    return "no judge's file has the hash of a loss's"


def _loss_sha256(vgg: VggConfig) -> str | None:
    """The sha256, or its start, of the file that a loss uses; None for random weights and for files that are not here."""
    if vgg.weights == "random":
        return None
    if vgg.weights == "imagenet":
        return IMAGENET_VGG
    path = local_weights(vgg.weights)
    return file_sha256(path) if path.is_file() else None

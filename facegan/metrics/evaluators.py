"""The evaluators: networks for identity, landmarks, perceptual distance and KID, each named with the sha256 of its file.

An evaluator must not be a network that a loss uses: that arm would be scored by what it was trained on.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.cache import local_weights
from facegan.config import VggConfig
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.inference import Images
from facegan.landmarks.finder import FINDERS
from facegan.metrics.backbones.arcface import ArcFace
from facegan.metrics.backbones.dlib_networks import DlibIdentity, DlibLandmarks
from facegan.metrics.backbones.finder_landmarks import FinderLandmarks
from facegan.metrics.backbones.weights import weight_file
from facegan.metrics.evaluation_config import OPTIONAL_BACKBONES, EvaluatorsConfig, PairNetwork

IMAGENET_VGG = "dcbb9e9d"
"""The start of the sha256 of the public VGG-19 file."""


class IdentityEvaluator(Protocol):
    """Embeds faces whose landmarks are known."""

    name: str
    sha256: str

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, d]: embeddings of images [n, size, size, 3] with landmarks [n, 68, 2]; a small angle means the same person.

        NaN where the landmarks are NaN.
        """


class LandmarkEvaluator(Protocol):
    """Finds landmarks in images without knowing where they should be."""

    name: str
    sha256: str

    def find(self, images: Images) -> NDArray[np.float32]:
        """[n, 68, 2] in pixels of images [n, size, size, 3]; NaN where no face is found."""


@dataclass(frozen=True, slots=True)
class Evaluators:
    """The networks, ready to use.

    `pair_networks` holds the optional networks by their metric; `missing` gives for each of the other metrics the reason.
    """

    config: EvaluatorsConfig
    identity: IdentityEvaluator
    landmarks: LandmarkEvaluator
    pair_networks: dict[str, PairNetwork]
    missing: dict[str, str]

    def describe(self) -> dict[str, str]:
        """For a result: name and sha256 of what evaluates identity, landmarks and each optional metric, or why nothing does."""
        names = {b.metric: b.name.format(**asdict(self.config)) for b in OPTIONAL_BACKBONES}
        return {
            **self.missing,
            "identity": f"{self.identity.name} (sha256 {self.identity.sha256})",
            "landmarks": f"{self.landmarks.name} (sha256 {self.landmarks.sha256})",
            **{metric: f"{names[metric]} (sha256 {network.sha256})" for metric, network in self.pair_networks.items()},
        }

    def fingerprint(self) -> str:
        """Twelve hex digits; equal fingerprints mean the same evaluators and hence the same scores."""
        return hashlib.sha256(json.dumps(self.describe(), sort_keys=True).encode()).hexdigest()[:12]


def build_evaluators(config: EvaluatorsConfig, device: str = "cpu") -> Evaluators:
    """Load the networks; those of dlib and onnxruntime run on the CPU, the others on `device`.

    Raises UserError if a file is missing or does not hold the weights.
    """
    files = {flag: weight_file(value, flag) for flag, value in config.files().items()}
    identity = files.get("--evaluators.identity")
    landmarks: LandmarkEvaluator
    if config.landmarks == "dlib":
        landmarks = DlibLandmarks()  # enlarges small images for the detector, which the finder of ingest does not
    else:
        folder = local_weights(config.landmark_weights) if config.landmark_weights else None
        landmarks = FinderLandmarks(FINDERS[config.landmarks].build(device, folder))
    return Evaluators(
        config,
        ArcFace(identity) if identity else DlibIdentity(),
        landmarks,
        {b.metric: b.build(files[b.flag], b.flag, device) for b in OPTIONAL_BACKBONES if b.flag in files},
        {b.metric: f"not measured: weights missing ({b.flag})" for b in OPTIONAL_BACKBONES if b.flag not in files},
    )


def refuse_loss_networks(config: EvaluatorsConfig, losses: Iterable[VggConfig]) -> str:
    """Check that no evaluator's file is one that a loss uses, by hash whatever its name, and say how far that was checked.

    Raises UserError if one is. A loss's file that is not on this machine is compared by name only.
    """
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
                    f"{flag} is {config.files()[flag]!r}: the loss of an evaluated network uses it (vgg.weights "
                    f"{vgg.weights!r}), so it cannot evaluate; name another network"
                )
    if unknown:
        return f"no evaluator's file has the name of a loss's; {', '.join(unknown)} not at hand to compare hashes"
    return "no evaluator's file has the hash of a loss's"


def _loss_sha256(vgg: VggConfig) -> str | None:
    """The sha256, or its start, of the file that a loss uses; None for random weights and for files that are not here."""
    if vgg.weights == "random":
        return None
    if vgg.weights == "imagenet":
        return IMAGENET_VGG
    path = local_weights(vgg.weights)
    return file_sha256(path) if path.is_file() else None

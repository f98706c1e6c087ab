"""What evaluates, and how much of a clip."""

from dataclasses import dataclass
from typing import Literal

from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorsConfig:
    """The evaluators. They are no part of a run's configuration: the same checkpoint can be judged by others."""

    identity: str = "dlib"
    """'dlib' (comes with a pip package), or an ArcFace network: an .onnx file or a URI."""
    landmarks: Literal["dlib", "face-alignment"] = "dlib"
    """What finds landmarks again in a generated face."""
    landmark_weights: str = ""
    """Folder or URI with face-alignment's two files; by default where torch keeps its downloads."""
    lpips_weights: str = ""
    """torchvision's AlexNet (alexnet-owt-7be5be79.pth), a file or a URI; without it LPIPS is not measured."""
    kid_weights: str = ""
    """FID's Inception (pt_inception-2015-12-05-6726825d.pth), a file or a URI; without it KID is not measured."""
    kid_images: int = 48
    """Images that KID is taken over, always as many: evenly chosen among the pairs of all test clips."""

    def __post_init__(self) -> None:
        if self.identity != "dlib" and not self.identity.endswith(".onnx"):
            raise UserError(f"--evaluators.identity is {self.identity!r}: 'dlib', or a file or a URI that ends in .onnx")
        if self.landmark_weights and self.landmarks != "face-alignment":
            raise UserError(f"--evaluators.landmark_weights is for --evaluators.landmarks face-alignment, not {self.landmarks}")
        if self.kid_images < 3:
            raise UserError(f"--evaluators.kid_images is {self.kid_images}: at least 3")

    def files(self) -> dict[str, str]:
        """The single files that were named, by their flags."""
        named = {"lpips_weights": self.lpips_weights, "kid_weights": self.kid_weights}
        named |= {"identity": self.identity} if self.identity != "dlib" else {}
        return {f"--evaluators.{field}": value for field, value in named.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How much of a test clip is judged. Every trial of a study pays for it, so the defaults are small."""

    pairs_per_clip: int = 4
    """Pairs of a source and a target frame."""
    sequence_frames: int = 3
    """Consecutive frames that jitter is measured on; 0 leaves jitter out."""

    def __post_init__(self) -> None:
        if self.pairs_per_clip < 1:
            raise UserError(f"--pairs_per_clip is {self.pairs_per_clip}: at least 1")
        if self.sequence_frames == 1 or self.sequence_frames < 0:
            raise UserError(f"--sequence_frames is {self.sequence_frames}: 0, or at least 2")

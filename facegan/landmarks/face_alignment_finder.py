"""Landmarks by the package face-alignment: the S3FD face detector and the 2D FAN-4 network (Bulat and Tzimiropoulos 2017).

The package downloads its weights unchecked. Here they must be given, or be in torch's hub folder already, and are checked.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from facegan.errors import UserError
from facegan.files import file_sha256, replacing
from facegan.landmarks.boxes import bgr_to_rgb, square_box
from facegan.landmarks.points import POINTS
from facegan.landmarks.tracker import Box, FaceTracker, Image, Points

FACE_ALIGNMENT_FILES = {"2DFAN4-11f355bf06.pth.tar": "11f355bf06", "s3fd-619a316812.pth": "619a316812"}
"""File names as face-alignment 1.5 looks for them, and the start of the sha256 of each."""

_MIN_HEAT = 0.2
"""Mean peak of the 68 heat maps below which they show no face; the network is trained to peaks of 1."""
_GPU_BATCH = 8


def face_alignment_finder(device: str, weights: Path | None) -> FaceTracker:
    """A finder on a device ('cpu', 'cuda'). `weights` is the folder of the two files; None: they are in torch's hub folder.

    Raises UserError if a file is missing or damaged.
    """
    stage_face_alignment_weights(weights, Path(torch.hub.get_dir()))
    from face_alignment import FaceAlignment, LandmarksType  # imports numba, which takes seconds

    network = FaceAlignment(LandmarksType.TWO_D, device=device, compile=False, flip_input=False)

    def detect(image: Image) -> list[Box]:
        return [square_box(*face[:4]) for face in network.face_detector.detect_from_image(bgr_to_rgb(image))]

    def align(images: Sequence[Image], boxes: Sequence[Box]) -> list[Points | None]:
        points, heat = fan_landmarks(network, [bgr_to_rgb(image) for image in images], boxes)
        return [p if peak >= _MIN_HEAT else None for p, peak in zip(points, heat, strict=True)]

    batch = _GPU_BATCH if device.startswith("cuda") else 1
    return FaceTracker("face-alignment 2DFAN4", lambda: " ".join(FACE_ALIGNMENT_FILES.values()), detect, align, batch)


@torch.no_grad()
def fan_landmarks(network: Any, images: Sequence[Image], boxes: Sequence[Box]) -> tuple[list[Points], list[float]]:
    """Points [68, 2] in the box of each RGB image, from one forward pass, and the mean peak of each image's heat maps.

    `FaceAlignment` batches several faces of one image but not several images; the arithmetic here is its own.
    """
    from face_alignment.utils import CENTER_Y_OFFSET, crop, get_preds_fromhm

    centres = [np.array([box.x, box.y - CENTER_Y_OFFSET * box.side]) for box in boxes]
    scales = [2 * box.side / network.face_detector.reference_scale for box in boxes]
    crops = [crop(i, c, s).transpose(2, 0, 1) for i, c, s in zip(images, centres, scales, strict=True)]
    batch = torch.from_numpy(np.stack(crops)).to(network.device, network.dtype) / 255.0
    out = network.face_alignment_net(batch)
    maps = (out[-1] if isinstance(out, list) else out).to("cpu", torch.float32).numpy()
    found = [get_preds_fromhm(maps[i : i + 1], centres[i], scales[i]) for i in range(len(images))]
    return [np.asarray(at.reshape(POINTS, 2), np.float32) for _, at, _ in found], [float(s.mean()) for _, _, s in found]


def stage_face_alignment_weights(folder: Path | None, hub: Path) -> None:
    """Copy face-alignment's files from `folder` into torch's hub folder, unless they are there, and check their hashes.

    One process of a machine copies, the others wait. Nothing is downloaded. Raises UserError if a file is missing or damaged.
    """
    target = hub / "checkpoints"
    target.mkdir(parents=True, exist_ok=True)
    with FileLock(target / ".face-alignment.lock"):
        for name, start in FACE_ALIGNMENT_FILES.items():
            if not (target / name).exists():
                _copy_checked(folder, target / name, start)
            elif not file_sha256(target / name).startswith(start):
                raise UserError(f"{target / name} is damaged (its sha256 does not begin {start}); remove it")


def _copy_checked(folder: Path | None, target: Path, start: str) -> None:
    source = folder / target.name if folder else None
    if source is None or not source.is_file():
        raise UserError(
            f"--landmark_weights is {str(folder or '')!r}: {target.name} is neither there nor in {target.parent}; fetch it "
            "from face-alignment's site and name its folder, or use --landmarks dlib"
        )
    with replacing(target) as partial:
        shutil.copyfile(source, partial)
        if not file_sha256(partial).startswith(start):
            raise UserError(f"--landmark_weights: {source} is not face-alignment's file (its sha256 does not begin {start})")

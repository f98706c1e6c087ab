"""Landmarks by the networks of the package face-alignment."""

import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.landmarks.boxes import _box, _rgb
from facegan.landmarks.points import POINTS
from facegan.landmarks.tracker import Box, FaceTracker, Image, Points

FACE_ALIGNMENT_FILES = {"2DFAN4-11f355bf06.pth.tar": "11f355bf06", "s3fd-619a316812.pth": "619a316812"}
"""Names as face-alignment 1.5 looks for them, and the start of each one's sha256."""


_LEAST_SCORE = 0.2
"""Mean height of face-alignment's 68 heat maps below which they show no face: they are trained to peaks of 1."""


_GPU_BATCH = 8


def face_alignment_finder(device: str, weights: Path | None) -> FaceTracker:
    """face-alignment's S3FD detector and 2D FAN-4; `weights` is a folder with its two files, None where they are staged."""
    hub = Path(torch.hub.get_dir())
    stage_face_alignment_weights(weights, hub)
    from face_alignment import FaceAlignment, LandmarksType

    network = FaceAlignment(LandmarksType.TWO_D, device=device, compile=False, flip_input=False)

    def detect(image: Image) -> list[Box]:
        return [_box(*face[:4]) for face in network.face_detector.detect_from_image(_rgb(image))]

    def align(images: Sequence[Image], boxes: Sequence[Box]) -> list[Points | None]:
        points, scores = fan_landmarks(network, [_rgb(image) for image in images], boxes)
        return [p if score >= _LEAST_SCORE else None for p, score in zip(points, scores, strict=True)]

    return FaceTracker("face-alignment 2DFAN4", detect, align, batch=_GPU_BATCH if device.startswith("cuda") else 1)


@torch.no_grad()
def fan_landmarks(network: Any, images: Sequence[Image], boxes: Sequence[Box]) -> tuple[list[Points], list[float]]:
    """Points [68, 2] of a box in each RGB image, all in one pass of the network, and the mean height of their heat maps.

    `FaceAlignment` runs several faces of one image as a batch, but several images one after the other; this is its own
    arithmetic over images.
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
    """See that torch's hub folder holds face-alignment's files, each with its hash: it would load whatever lies there.

    One process of a machine copies them, others wait for it. Nothing is downloaded.
    """
    target = hub / "checkpoints"
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".face-alignment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.copyfile(source, partial)
    if not file_sha256(partial).startswith(start):
        partial.unlink()
        raise UserError(f"--landmark_weights: {source} is not face-alignment's file (its sha256 does not begin {start})")
    os.replace(partial, target)

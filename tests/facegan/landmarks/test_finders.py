"""Landmark finders: the rules of the tracker, dlib's model on rendered people, and the code of face-alignment."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import ClipReader, LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.shards import writing_clip
from facegan.data.ingest.sources import clips_in
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.landmarks import face_alignment_finder as face_alignment_module
from facegan.landmarks.dlib_finder import dlib_finder
from facegan.landmarks.face_alignment_finder import face_alignment_finder, fan_landmarks, stage_face_alignment_weights
from facegan.landmarks.finder import FINDERS, FinderName
from facegan.landmarks.points import EYE_CORNERS, read_pts
from facegan.landmarks.tracker import LOST, NO_FACE, SEVERAL, Box, FaceTracker, Image, Points
from facegan.metrics.backbones.finder_landmarks import FinderLandmarks
from facegan.metrics.evaluation_config import EvaluatorsConfig
from facegan.synthetic.clips import ClipJob, film, write_synthetic

BLACK = np.zeros((100, 200, 3), np.uint8)


class Scene:
    """A tracker with an artificial detector and aligner; `faces` are those of frame n, an image in which every pixel is n."""

    def __init__(self, faces: dict[int, list[Box]]) -> None:
        self.faces, self.detections, self.alignments = faces, 0, 0
        self.tracker = FaceTracker("made up", lambda: "0", self.detect, self.align, batch=4)

    def detect(self, image: Image) -> list[Box]:
        self.detections += 1
        # This detector's boxes are larger than the landmarks and lie higher.
        return [Box(b.x, b.y - 4, 1.5 * b.side) for b in self.faces.get(int(image[0, 0, 0]), [])]

    def align(self, images: Sequence[Image], boxes: Sequence[Box]) -> list[Points | None]:
        self.alignments += len(images)
        return [self._one(int(image[0, 0, 0]), box) for image, box in zip(images, boxes, strict=True)]

    def _one(self, number: int, box: Box) -> Points | None:
        faces = [face for face in self.faces.get(number, []) if Box(box.x, box.y + 4, box.side / 1.5).overlap(face) > 0.3]
        if not faces:
            return None
        corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], np.float32)
        points = np.tile(corners, (17, 1)) * faces[0].side / 2 + [faces[0].x, faces[0].y]
        return points.astype(np.float32)

    def found(self, *numbers: int) -> list[object]:
        """For frames that are given at once: x of the face's centre, or the reason why there is none."""
        images = [np.full((100, 200, 3), n, np.uint8) for n in numbers]
        return [f if isinstance(f, str) else round(float(f[:, 0].mean())) for f in self.tracker.find(images)]


def moving(first: int, last: int, start: float, side: float = 40.0) -> dict[int, list[Box]]:
    """A face that moves to the right by two pixels per frame."""
    return {n: [Box(start + 2 * n, 50, side)] for n in range(first, last)}


def test_a_face_is_detected_once_and_followed() -> None:
    scene = Scene(moving(0, 40, 60))
    for start in range(0, 40, 4):
        assert scene.found(*range(start, start + 4)) == [60 + 2 * n for n in range(start, start + 4)]
    assert scene.detections == 1
    assert scene.alignments < 60  # 40, and once more where a batch went too far for its box


def test_a_lost_face_is_reported_and_found_again() -> None:
    scene = Scene(moving(2, 6, 60) | moving(9, 12, 60))
    assert scene.found(*range(12)) == [NO_FACE, NO_FACE, 64, 66, 68, 70, LOST, LOST, LOST, 78, 80, 82]
    scene.tracker.restart()
    assert scene.found(0, 0) == [NO_FACE, NO_FACE]


def test_frames_with_two_faces_of_similar_size_are_rejected() -> None:
    both = {n: [Box(50, 50, 40), Box(150, 50, 38)] for n in range(3)}
    scene = Scene(both | {3: [Box(50, 50, 40), Box(150, 50, 20)]} | {n: both[0] for n in range(4, 8)})
    assert scene.found(*range(8)) == [SEVERAL, SEVERAL, SEVERAL, 50, 50, 50, 50, 50]
    assert scene.detections == 4


def test_after_a_loss_the_face_at_the_same_position_is_followed() -> None:
    scene = Scene({0: [Box(50, 50, 40)], 1: [], 2: [Box(150, 50, 60), Box(52, 50, 40)]})
    assert scene.found(0, 1, 2) == [50, LOST, 52]


def test_a_jump_or_a_change_of_size_ends_the_track() -> None:
    scene = Scene({0: [Box(50, 50, 40)], 1: [Box(62, 50, 80)], 2: []})
    assert scene.found(0, 1) == [50, 62]
    assert scene.detections == 2


@pytest.fixture(scope="module")
def rendered() -> tuple[list[Image], NDArray[np.float64]]:
    """A rendered person, large enough for dlib: images and the landmarks that they were drawn from."""
    frames = list(film(ClipJob(Path("nowhere"), 3, 5, 8, 240)))
    return [np.asarray(image, np.uint8) for image, _ in frames], np.array([points for _, points in frames])


def error(found: Points | str, points: NDArray[np.float64]) -> float:
    assert not isinstance(found, str), found
    eyes = np.linalg.norm(points[EYE_CORNERS[0]] - points[EYE_CORNERS[1]])
    return float(np.linalg.norm(found - points, axis=1).mean() / eyes)


def test_dlib_follows_a_rendered_face(rendered: tuple[list[Image], NDArray[np.float64]]) -> None:
    images, points = rendered
    finder = dlib_finder()
    black = np.zeros_like(images[0])
    found = finder.find([black, *images[:4], black, black, *images[4:]])
    assert [f for f in found if isinstance(f, str)] == [NO_FACE, LOST, LOST]
    good = [f for f in found if not isinstance(f, str)]
    assert np.mean([error(f, p) for f, p in zip(good, points, strict=True)]) < 0.12


def test_dlib_rejects_a_frame_with_two_faces(rendered: tuple[list[Image], NDArray[np.float64]]) -> None:
    images, points = rendered
    finder = dlib_finder()
    assert finder.find([np.hstack([images[0], images[0]])]) == [SEVERAL]
    finder.restart()
    alone, both = np.hstack([images[0], np.zeros_like(images[0])]), np.hstack([images[1], images[5]])
    found = finder.find([alone, both])
    assert [error(f, p) < 0.2 for f, p in zip(found, points[:2], strict=True)] == [True, True]


@pytest.mark.slow
def test_a_video_without_annotations_is_ingested(tmp_path: Path) -> None:
    """Every frame is written or quarantined, and the landmarks are near those that the renderer knew."""
    write_synthetic(tmp_path / "clips", people=1, test_people=1, frames=4, size=240, seed=4, workers=1)
    (clip, _) = clips_in(tmp_path / "clips")
    known = {number: read_pts(tmp_path / "clips" / key) for number, key in clip.annotations().items()}
    frames = list(ClipReader(clip, tmp_path / "clips", dlib_finder()).read())
    assert [f.frame for f in frames] == [1, 2, 3, 4]
    good = [f for f in frames if isinstance(f, LocatedFrame)]
    assert len(good) + sum(isinstance(f, Quarantined) for f in frames) == 4
    assert good
    assert all(error(f.points, known[f.frame].astype(np.float64)) < 0.2 for f in good)
    how = IngestConfig(size=64, landmarks="dlib")
    *_, record = writing_clip(clip, tmp_path / "clips", tmp_path, how, "", dlib_finder())
    assert (record.rows, record.frames_read) == (len(good), 4)  # type: ignore[union-attr]


@pytest.fixture
def made_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files with the right names and shapes, whose hashes are made the expected ones."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = {"2DFAN4-11f355bf06.pth.tar": FAN(4), "s3fd-619a316812.pth": s3fd()}
    (tmp_path / "weights").mkdir()
    expected = {}
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / "weights" / name)
        expected[name] = file_sha256(tmp_path / "weights" / name)[:10]
    monkeypatch.setattr(face_alignment_module, "FACE_ALIGNMENT_FILES", expected)
    return tmp_path / "weights"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore::FutureWarning")
def test_the_face_alignment_package_runs_with_staged_weights(made_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks are untrained, so they find no face or many; all code is that of the package."""
    finder = face_alignment_finder("cpu", made_weights)
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    assert finder.find([image])[0] in (NO_FACE, SEVERAL)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore::FutureWarning")
def test_landmarks_of_a_batch_equal_those_of_the_face_alignment_package(made_weights: Path, tmp_path: Path) -> None:
    from face_alignment import FaceAlignment, LandmarksType

    stage_face_alignment_weights(made_weights, tmp_path / "torch" / "hub")
    network = FaceAlignment(LandmarksType.TWO_D, device="cpu", compile=False, flip_input=False)
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 255, (200, 240, 3)).astype(np.uint8) for _ in range(3)]
    boxes = [Box(120, 100, 90), Box(60.5, 80, 110), Box(200, 150, 120.5)]
    ours, scores = fan_landmarks(network, images, boxes)
    for image, box, points in zip(images, boxes, ours, strict=True):
        (theirs,) = network.get_landmarks_from_image(image, detected_faces=[np.array([*box.corners(), 1.0])])
        assert np.abs(points - theirs).max() < 1e-3
    assert len(scores) == 3


def test_weights_are_copied_once_and_their_hashes_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, hub = tmp_path / "weights", tmp_path / "hub"
    weights.mkdir()
    expected = {}
    for name in face_alignment_module.FACE_ALIGNMENT_FILES:
        (weights / name).write_bytes(name.encode())
        expected[name] = file_sha256(weights / name)[:10]
    with pytest.raises(UserError, match=r"is not face-alignment's file .*11f355bf06"):
        stage_face_alignment_weights(weights, hub)
    assert [p.name for p in (hub / "checkpoints").iterdir()] == [".face-alignment.lock"]
    monkeypatch.setattr(face_alignment_module, "FACE_ALIGNMENT_FILES", expected)
    with pytest.raises(UserError, match="neither there nor in"):
        stage_face_alignment_weights(None, hub)
    threads = [threading.Thread(target=stage_face_alignment_weights, args=(weights, hub)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {p.name for p in (hub / "checkpoints").iterdir()} == {".face-alignment.lock", *expected}
    (hub / "checkpoints" / "s3fd-619a316812.pth").write_bytes(b"damaged")
    with pytest.raises(UserError, match="is damaged"):
        stage_face_alignment_weights(weights, hub)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore::FutureWarning")
def test_face_alignment_evaluates_landmarks(made_weights: Path) -> None:
    """The real code with untrained networks, which find no face or many: the result is NaN, not an error."""
    evaluator = FinderLandmarks(FINDERS["face-alignment"].build("cpu", made_weights))
    assert len(evaluator.sha256.split()) == 2
    found = evaluator.find(np.random.default_rng(0).integers(0, 255, (1, 96, 96, 3)).astype(np.uint8))
    assert found.shape == (1, 68, 2) and np.isnan(found).all()


def test_a_landmark_evaluator_sees_each_image_alone_and_in_the_right_colours() -> None:
    scene = Scene({1: [Box(50, 50, 40)], 2: [Box(54, 50, 40)], 4: [Box(30, 40, 20)]})
    evaluator = FinderLandmarks(scene.tracker)
    images = np.zeros((4, 100, 200, 3), np.uint8)
    # The scene reads an image's number from the first channel of BGR, which is RGB's last.
    images[..., 2] = np.array([1, 2, 3, 4])[:, None, None]
    found = evaluator.find(images)
    assert [round(float(f[:, 0].mean())) if np.isfinite(f).all() else None for f in found] == [50, 54, None, 30]
    assert scene.detections == 4, "nothing is followed from one image to the next"


def test_every_finder_is_a_choice_of_ingest_and_of_evaluation() -> None:
    assert get_args(FinderName) == tuple(FINDERS)
    for name, entry in FINDERS.items():
        assert IngestConfig(landmarks=name).landmarks == EvaluatorsConfig(landmarks=name).landmarks
        if entry.takes_weights:
            assert EvaluatorsConfig(landmarks=name, landmark_weights="folder").landmark_weights == "folder"
        else:
            with pytest.raises(UserError, match=r"landmark_weights is for --evaluators\.landmarks face-alignment, not dlib"):
                EvaluatorsConfig(landmarks=name, landmark_weights="folder")
    chosen = get_args(get_type_hints(IngestConfig)["landmarks"])
    assert set(chosen) == {"annotations", *FINDERS}

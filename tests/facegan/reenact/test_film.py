"""From a driving clip to a video and its scores. No network draws the columns, so that the right scores are known."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.inference import Generate, Images
from facegan.landmarks.finder import LandmarkFinder
from facegan.landmarks.points import read_pts
from facegan.metrics.evaluation_config import EvaluatorsConfig
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.reenact.files import write_files
from facegan.reenact.film import WARPED, FrameCounts, Reenactment
from facegan.reenact.frame_scores import FrameScores, result_lines
from facegan.reenact.inputs import Landmarks
from facegan.reenact.opening import open_reenactment
from facegan.reenact.options import ReenactOptions, ReferenceKind, files_beside
from facegan.reenact.progress import closing_lines
from facegan.reenact.provenance import Provenance
from facegan.synthetic.clips import format_points
from tests.facegan.reenact.clips import read_pictures, write_annotated_clip

pytestmark = pytest.mark.slow  # dlib's networks look at a hundred faces
INGEST = IngestConfig(size=96)
FRAMES = 16
TITLE = 28
COPY, GREY = "copy", "grey"


def copies(images: Images, points: np.ndarray) -> Images:
    return images


def greys(images: Images, points: np.ndarray) -> Images:
    return np.full_like(images, 128)


def not_asked() -> LandmarkFinder:
    raise AssertionError("no detector is needed")


@pytest.fixture(scope="session")
def evaluators() -> Evaluators:
    return build_evaluators(EvaluatorsConfig())


def decoded_first(clip: Path) -> np.ndarray:
    """The first frame of a clip, BGR."""
    return read_pictures(clip / "vid.avi")[0][:, :, ::-1]


class Made:
    """A video that was made, and what lies beside it."""

    def __init__(self, reenactment: Reenactment, evaluators: Evaluators, out: Path) -> None:
        self.reenactment, self.counts, self.out = reenactment, FrameCounts(), out
        provenance = Provenance("study", "commit", (), (), reenactment.options)
        one = reenactment.one_person
        self.scores = FrameScores(reenactment.source, list(reenactment.columns()), evaluators, one_person=one)
        write_files(out, reenactment, self.scores, provenance, self.counts)
        self.pictures = read_pictures(out)
        self.rows: list[dict[str, Any]] = pq.read_table(files_beside(out)[0]).to_pylist()

    def of(self, arm: str, column: str) -> np.ndarray:
        return np.array([row[column] if row[column] is not None else np.nan for row in self.rows if row["arm"] == arm])


def make(
    evaluators: Evaluators, out: Path, clips: tuple[Path, Path], options: ReenactOptions, arms: dict[str, Generate]
) -> Made:
    source, driving = map(str, clips)
    landmarks = Landmarks(None, not_asked)
    return Made(open_reenactment(source, driving, landmarks, INGEST, options, arms), evaluators, out)


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered clip whose first face is moved."""
    return write_annotated_clip(tmp_path_factory.mktemp("person") / "person", 7, 4)


@pytest.fixture(scope="module")
def made(evaluators: Evaluators, person: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A rendered person moved by another, with three columns: a copy, grey, and the warped source."""
    root = tmp_path_factory.mktemp("film")
    driving = write_annotated_clip(root / "driving", 8, FRAMES + 1)
    options = ReenactOptions(frames=FRAMES, warped=True, height=160)
    return make(evaluators, root / "video.mp4", (person, driving), options, {COPY: copies, GREY: greys})


def test_every_frame_is_in_the_video_and_has_a_row_for_each_arm(made: Made) -> None:
    assert len(made.pictures) == FRAMES == made.counts.drawn == made.counts.shown
    assert [(row["frame"], row["arm"]) for row in made.rows] == [
        (frame, arm) for frame in range(1, FRAMES + 1) for arm in (COPY, GREY, WARPED)
    ]
    assert made.rows[3]["seconds"] == pytest.approx(1 / 25) and {row["state"] for row in made.rows} == {"drawn"}


def test_scores_tell_a_copy_from_a_face_that_follows_and_from_no_face(made: Made) -> None:
    assert abs(np.nanmean(made.of(COPY, "target_following"))) < 0.05
    assert np.nanmean(made.of(WARPED, "target_following")) > 0.7
    assert made.of(COPY, "identity_kept").mean() == pytest.approx(1, abs=1e-6), "frame by frame it is a share of the clip's"
    np.testing.assert_allclose(made.of(COPY, "identity_to_source"), 1, atol=1e-6)
    assert 0.3 < np.nanmean(made.of(WARPED, "identity_kept")) < 1.05
    assert np.nanmean(made.of(WARPED, "landmark_error")) < 0.7 * np.nanmean(made.of(COPY, "landmark_error"))
    assert (made.of(GREY, "target_following") == 0).all() and (made.of(GREY, "identity_kept") == 0).all()
    assert not made.of(GREY, "face_found").any() and np.isnan(made.of(GREY, "landmark_error")).all()


def test_the_table_on_the_console_is_the_mean_of_the_rows(made: Made) -> None:
    lines = result_lines(made.scores.results(), made.counts.drawn)
    assert [line.split("  ")[0] for line in lines[1:]] == ["source copied", COPY, GREY, WARPED]
    (note,) = made.scores.notes()
    cosines = made.of(WARPED, "identity_to_source")
    apart = float(note.split(" are ")[1].split()[0])
    assert 0.005 < apart < 0.3 and np.isfinite(cosines).any()
    following = f"{np.nanmean(made.of(WARPED, 'target_following')):.2f}"
    assert following in lines[-1].split() and lines[-1].split()[-1] == str(FRAMES) and "0.00" in lines[3].split()


def columns_of(picture: np.ndarray, count: int, width: int) -> list[np.ndarray]:
    return [picture[TITLE:, i * (width + 4) : i * (width + 4) + width] for i in range(count)]


def test_columns_show_the_source_the_driving_clip_and_what_was_drawn(made: Made) -> None:
    """The source stands still, the driving clip and the warped face move, and the copy is the source with the mark on it."""
    width = 200
    first, last = (columns_of(made.pictures[i], 5, width) for i in (0, -1))
    changes = [np.abs(a.astype(int) - b).mean() for a, b in zip(first, last, strict=True)]
    assert changes[0] < 1 and changes[2] < 1 and changes[3] < 1 and changes[1] > 3 and changes[4] > 0.8
    whole = 160 - round(0.09 * 160) - 2
    assert np.abs(first[2][:whole].astype(int) - first[0][:whole]).mean() < 2.5
    for number in (2, 3, 4):
        assert first[number][-6:-2, 4:20].mean() < 60, "the strip with the mark"
    assert np.abs(first[0][-6:-2, 4:20].astype(int) - first[2][-6:-2, 4:20]).mean() > 25, "the source was not drawn"
    middle, edge = first[3][60:80, 90:110], first[3][:10, :10]
    assert abs(middle.mean() - 128) < 6 and abs(edge.astype(int) - first[0][:10, :10]).mean() < 4


def test_without_mark_and_pasting_bare_crops_are_shown(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    clip = write_annotated_clip(tmp_path / "clip", 8, 2)
    options = ReenactOptions(height=96, paste=False, mark=False)
    made = make(evaluators, tmp_path / "video.mp4", (person, clip), options, {COPY: copies})
    assert made.pictures[0].shape == (96 + TITLE, 3 * 96 + 2 * 4, 3)
    source, driving, drawn = columns_of(made.pictures[0], 3, 96)
    assert np.abs(drawn.astype(int) - source).mean() < 2.5 and np.abs(driving.astype(int) - source).mean() > 10
    assert np.abs(source.astype(int) - made.reenactment.source.crop.image).mean() < 4


def test_frames_without_landmarks_are_held_and_counted(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    """Those before the first face, in the middle, and at the end; a frame that only an annotation knows is not in the video."""
    clip = write_annotated_clip(tmp_path / "clip", 8, 9, without=(1, 2, 5, 9))
    (clip / "annot" / "000012.pts").write_bytes((clip / "annot" / "000003.pts").read_bytes())
    options = ReenactOptions(height=96)
    made = make(evaluators, tmp_path / "video.mp4", (person, clip), options, {COPY: copies})
    assert len(made.pictures) == 9
    assert (made.counts.drawn, dict(made.counts.held)) == (5, {"annotation missing": 4})
    assert made.counts.absent.total() == 1
    assert [row["frame"] for row in made.rows if row["state"] == "held"] == [1, 2, 5, 9]
    held = next(row for row in made.rows if row["frame"] == 5)
    assert held["reason"] == "annotation missing" and held["target_following"] is None and held["face_found"] is None
    rest = slice(0, TITLE + 96 - 20)
    for number, shown in ((0, 2), (1, 2), (4, 3), (8, 7)):
        assert np.abs(made.pictures[number][rest].astype(int) - made.pictures[shown][rest]).mean() < 1.5
        assert np.abs(made.pictures[number].astype(int) - made.pictures[shown]).max() > 60, "the strip says that it is held"


@pytest.mark.parametrize(("reference", "number", "moved"), [("nearest", 3, 0.0), ("first", 1, 0.25)])
def test_motion_is_measured_from_the_frame_that_is_nearest_to_the_source(
    evaluators: Evaluators, person: Path, tmp_path: Path, reference: ReferenceKind, number: int, moved: float
) -> None:
    """A clip that begins with an open mouth and shows the source's own face in its third frame."""
    (tmp_path / "clip").mkdir()
    points = read_pts(person / "annot" / "000001.pts").astype(np.float64)
    height = float(np.ptp(points[:, 1]))
    for frame, share in enumerate((0.25, 0.1, 0.0, 0.1), start=1):
        cv2.imwrite(str(tmp_path / "clip" / f"{frame}.png"), decoded_first(person))
        opened = points.copy()
        opened[[6, 7, 8, 9, 10, 56, 57, 58, 65, 66, 67], 1] += share * height
        (tmp_path / "clip" / f"{frame:06d}.pts").write_text(format_points(opened))
    targets: list[np.ndarray] = []

    def notes(images: Images, wanted: np.ndarray) -> Images:
        targets.extend(wanted)
        return images

    options = ReenactOptions(height=96, reference=reference)
    made = make(evaluators, tmp_path / "video.mp4", (person, tmp_path / "clip"), options, {COPY: notes})
    own = made.reenactment.source.crop.points
    assert made.counts.reference == number and made.counts.compared == (4 if reference == "nearest" else 0)
    gaps = np.array([face[66, 1] - face[62, 1] for face in targets]) - (own[66, 1] - own[62, 1])
    shift = moved * np.ptp(own[:, 1])
    np.testing.assert_allclose(gaps[2], -shift, atol=2.5)
    assert json.loads(files_beside(made.out)[1].read_text())["assertions"][2]["data"]["reference_frame"] == number
    assert f"motion   measured from frame {number} of the driving clip" in closing_lines(made.out, made.scores, made.counts)


def test_a_clip_that_drives_its_own_person_has_no_identity_kept(evaluators: Evaluators, tmp_path: Path) -> None:
    clip = write_annotated_clip(tmp_path / "clip", 8, 5)
    options = ReenactOptions(height=96, motion="absolute")
    made = make(evaluators, tmp_path / "video.mp4", (clip, clip), options, {COPY: copies})
    assert np.isnan(made.of(COPY, "identity_kept")).all()
    np.testing.assert_allclose(made.of(COPY, "identity_to_source"), 1, atol=1e-6)
    assert "-" in result_lines(made.scores.results(), 5)[1].split()
    assert made.scores.notes() == ["identity kept is not measured: the driving clip shows the source's own person"]


def test_a_face_that_stands_still_is_not_followed(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    """Of one photo, the photo itself takes the place of a second frame."""
    picture = decoded_first(person)
    (tmp_path / "still").mkdir()
    for number in (1, 2, 3):
        cv2.imwrite(str(tmp_path / "still" / f"{number}.png"), picture)
        points = (person / "annot" / "000001.pts").read_bytes()
        (tmp_path / "still" / f"{number:06d}.pts").write_bytes(points)
    cv2.imwrite(str(tmp_path / "photo.png"), picture)
    (tmp_path / "photo.pts").write_bytes(points)
    made = make(
        evaluators,
        tmp_path / "video.mp4",
        (tmp_path / "photo.png", tmp_path / "still"),
        ReenactOptions(height=96),
        {COPY: copies},
    )
    assert np.isnan(made.of(COPY, "target_following")).all() and np.isnan(made.of(COPY, "identity_kept")).all()
    assert made.scores.notes() == [
        "target following is not measured: the driving face hardly moves",
        "identity kept is not measured: the evaluator does not tell the driving person from the source's",
    ]


def test_a_source_in_whose_crop_no_face_is_found_has_no_scores(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), cv2.GaussianBlur(decoded_first(person), (0, 0), 9))
    (tmp_path / "photo.pts").write_bytes((person / "annot" / "000001.pts").read_bytes())
    options = ReenactOptions(height=96)
    made = make(evaluators, tmp_path / "video.mp4", (tmp_path / "photo.png", person), options, {COPY: copies})
    assert made.scores.notes() == ["nothing is measured: the evaluator finds no face in the source's crop"]
    assert [result.means["identity_to_source"] for result in made.scores.results()] == [None]


def test_a_clip_without_a_face_leaves_no_file(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    clip = write_annotated_clip(tmp_path / "clip", 8, 3, without=(1, 2, 3))
    (clip / "annot" / "000009.pts").write_text("no points")
    with pytest.raises(UserError, match=r"no frame of it has a face; .* most often: annotation missing"):
        make(evaluators, tmp_path / "video.mp4", (person, clip), ReenactOptions(), {COPY: copies})
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_the_video_names_no_file_of_the_machine(made: Made) -> None:
    content = made.out.read_bytes() + files_beside(made.out)[1].read_bytes() + files_beside(made.out)[0].read_bytes()
    assert str(made.out.parent).encode() not in content and made.reenactment.source.name.encode() not in content
    assert b"Faces drawn by networks, not recorded" in content


def test_a_generator_that_fails_leaves_no_file(evaluators: Evaluators, person: Path, tmp_path: Path) -> None:
    def fails(images: Images, points: np.ndarray) -> Images:
        raise RuntimeError("out of memory")

    clip = write_annotated_clip(tmp_path / "clip", 8, 2)
    with pytest.raises(RuntimeError, match="out of memory"):
        make(evaluators, tmp_path / "video.mp4", (person, clip), ReenactOptions(), {COPY: fails})
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]

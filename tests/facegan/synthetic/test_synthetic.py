"""Rendered clips: layout, reproducibility, and landmarks that lie on what is drawn."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.synthetic.canvas import curve
from facegan.synthetic.clips import ClipJob, film, write_synthetic
from facegan.synthetic.config import is_synthetic
from facegan.synthetic.face import MEAN_HALF, neutral_points, pose_head
from facegan.synthetic.features import DARK
from facegan.synthetic.motion import Moment, random_motion
from facegan.synthetic.paint import paint_person
from facegan.synthetic.person import Look, Person, random_person

Array = NDArray[np.float64]
HEIGHT, WIDTH = 320, 400


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set, rendered by one worker."""
    root = tmp_path_factory.mktemp("synthetic")
    write_synthetic(root, people=2, test_people=1, frames=3, size=64, seed=7, workers=1)
    return root


def clip_pixels(clip: Path) -> list[NDArray[np.uint8]]:
    video, frames = cv2.VideoCapture(str(clip / "vid.avi")), []
    while (answer := video.read())[0]:
        frames.append(np.asarray(answer[1], np.uint8))
    return frames


def points_of(path: Path) -> Array:
    lines = path.read_text().splitlines()
    assert lines[:3] == ["version: 1", "n_points: 68", "{"]
    assert lines[71:] == ["}"]
    return np.array([line.split() for line in lines[3:71]], float)


def test_clips_have_the_layout_of_300vw(written: Path) -> None:
    split = json.loads((written / "split.json").read_text())
    assert split == {"train": ["1001", "1002"], "test": ["5001"]}
    for clip in split["train"] + split["test"]:
        names = sorted(path.name for path in (written / clip / "annot").iterdir())
        assert names == ["000001.pts", "000002.pts", "000003.pts"]
        assert [frame.shape for frame in clip_pixels(written / clip)] == [(64, 80, 3)] * 3


def test_the_marker_names_the_parameters_and_is_written_last(tmp_path: Path) -> None:
    seen = []
    write_synthetic(
        tmp_path, people=1, test_people=1, frames=1, size=64, workers=1,
        on_clip=lambda done, total: seen.append((done, total, is_synthetic(tmp_path))),
    )  # fmt: skip
    assert seen == [(1, 2, False), (2, 2, False)]
    assert is_synthetic(tmp_path)
    marker = json.loads((tmp_path / "synthetic.json").read_text())
    assert marker["synthetic"] is True
    assert {key: marker[key] for key in ("seed", "people", "test_people", "frames", "size")} == {
        "seed": 0, "people": 1, "test_people": 1, "frames": 1, "size": 64,
    }  # fmt: skip


def test_the_bytes_depend_on_the_seed_and_not_on_workers_or_earlier_files(written: Path, tmp_path: Path) -> None:
    (tmp_path / "1001" / "annot").mkdir(parents=True)
    (tmp_path / "1001" / "annot" / "000009.pts").write_text("left over")
    write_synthetic(tmp_path, people=2, test_people=1, frames=3, size=64, seed=7, workers=2)
    first = sorted(path.relative_to(written) for path in written.rglob("*.*"))
    assert first == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    for name in first:
        assert (written / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_another_seed_renders_other_people() -> None:
    first, second = (next(film(ClipJob(Path(), 1001, seed, 1, 64)))[1] for seed in (0, 1))
    assert np.abs(first - second).max() > 1


def test_clips_show_different_people(written: Path) -> None:
    first, second, new = (clip_pixels(written / clip)[0].astype(float) for clip in ("1001", "1002", "5001"))
    assert min(np.abs(first - second).mean(), np.abs(first - new).mean(), np.abs(second - new).mean()) > 8


def test_written_points_count_from_one(written: Path) -> None:
    landmarks = next(film(ClipJob(written, 1001, 7, 3, 64)))[1]
    stored = points_of(written / "1001" / "annot" / "000001.pts")
    np.testing.assert_allclose(stored, landmarks + 1, atol=6e-4)


def test_landmarks_lie_within_the_frame() -> None:
    for number in range(1001, 1021):
        person, moments = the_person_and_motion(number)
        for moment in moments:
            landmarks = pose_head(neutral_points(person.build), moment, 200, 160).landmarks()
            assert landmarks.min() >= 0
            assert (landmarks.max(axis=0) <= (199, 159)).all()


def test_people_differ_and_test_people_are_new() -> None:
    numbers = [*range(1001, 1031), *range(5001, 5011)]
    people = [the_person_and_motion(number)[0] for number in numbers]
    shapes = np.stack([neutral_points(person.build).ravel() for person in people])
    gaps = np.sqrt(((shapes[:, None] - shapes[None]) ** 2).mean(axis=-1))
    assert gaps[np.triu_indices(len(people), 1)].min() > 1.0  # millimetres
    assert len({person.look.skin for person in people}) == len(people)
    assert len({person.look.hair_style for person in people}) >= 6


def test_frames_of_a_clip_differ() -> None:
    moves = []
    for number in range(1001, 1031):
        moments = the_person_and_motion(number)[1]
        moves.append([np.ptp([getattr(moment, name) for moment in moments]) for name in ("yaw", "open", "smile")])
    yaw, opened, smile = np.median(moves, axis=0)
    assert yaw > 35
    assert opened > 0.7
    assert smile > 1


def test_motion_is_smooth() -> None:
    for number in range(1001, 1011):
        moments = the_person_and_motion(number)[1]
        assert np.abs(np.diff([moment.yaw for moment in moments])).max() < 25


def test_turning_shows_parallax() -> None:
    neutral = neutral_points(the_person_and_motion(1001)[0].build)
    head = pose_head(neutral, moment_with(yaw=30), WIDTH, HEIGHT).landmarks()
    near, far = head[30, 0] - head[0, 0], head[16, 0] - head[30, 0]
    assert near > 1.6 * far  # positive yaw turns the nose to the right of the image


def test_landmarks_of_the_hidden_jaw_lie_on_the_visible_edge() -> None:
    neutral = neutral_points(the_person_and_motion(1001)[0].build)
    head = pose_head(neutral, moment_with(yaw=30), WIDTH, HEIGHT)
    landmarks, across = head.landmarks(), np.linspace(-1, 1, 101)
    for index in range(11, 17):
        row = head.project(head.surface(across, np.full(101, head.points[index, 1])))
        assert abs(landmarks[index, 0] - row[:, 0].max()) < 0.3, index
    assert landmarks[14, 0] > head.project(head.points[14])[0] + 1


def test_frontal_landmarks_mirror_each_other() -> None:
    neutral = neutral_points(the_person_and_motion(1001)[0].build)
    landmarks = pose_head(neutral, moment_with(), WIDTH, HEIGHT).landmarks()
    for index, mirrored, *_ in MEAN_HALF:
        flipped = (WIDTH - landmarks[mirrored, 0], landmarks[mirrored, 1])
        np.testing.assert_allclose(landmarks[index], flipped, atol=1e-6)


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 25.0])
def test_the_white_of_the_eye_is_only_within_its_landmarks(yaw: float) -> None:
    picture, landmarks = flat_picture(moment_with(yaw=yaw))
    white = (picture.min(axis=-1) > 140) & (np.ptp(picture, axis=-1) < 45)
    for first in (36, 42):
        eye = landmarks[first : first + 6]
        assert white[inside(eye, shrink=0.8)].mean() > 0.12
        assert white[inside(eye, shrink=1.6) & ~inside(eye, shrink=1.25)].mean() < 0.02


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 25.0])
def test_open_mouth_is_dark_between_inner_lips_and_lip_coloured_around(yaw: float) -> None:
    picture, landmarks = flat_picture(moment_with(yaw=yaw, open=1.0))
    hole = inside(landmarks[60:68], shrink=0.9)
    lips = inside(landmarks[48:60], shrink=0.97) & ~inside(landmarks[60:68], shrink=1.08)
    assert (np.abs(picture - DARK).max(axis=-1)[hole] < 12).mean() > 0.2
    red = (picture[..., 2] > 1.6 * picture[..., 1]) & (picture[..., 2] > 90)
    assert red[lips].mean() > 0.8


def test_blink_hides_the_white_of_the_eye() -> None:
    shares = []
    for blink in (0.0, 1.0):
        picture, landmarks = flat_picture(moment_with(blink=blink))
        right, left = landmarks[36], landmarks[39]
        box = np.stack([right - (0, 8), left - (0, 8), left + np.array([0, 8]), right + np.array([0, 8])])
        white = (picture.min(axis=-1) > 140) & (np.ptp(picture, axis=-1) < 45)
        shares.append(white[inside(box, shrink=1.0)].mean())
    assert shares[0] > 0.06
    assert shares[1] < 0.1 * shares[0]


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 25.0])
def test_jaw_is_the_edge_of_the_skin(yaw: float) -> None:
    picture, landmarks = flat_picture(moment_with(yaw=yaw))
    middle = landmarks[27:36].mean(axis=0)
    skin = np.array(plain_person().look.skin)
    for index in range(2, 15):
        inner = landmarks[index] + 0.06 * (middle - landmarks[index])
        outer = landmarks[index] - 0.06 * (middle - landmarks[index])
        assert np.abs(pixel(picture, inner) - skin).max() < 30, index
        assert np.abs(pixel(picture, outer) - skin).max() > 20, index


def test_curves_pass_through_their_points() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (7, 2))
    np.testing.assert_allclose(curve(points, 5)[::5], points, atol=1e-9)


def the_person_and_motion(number: int) -> tuple[Person, list[Moment]]:
    rng = np.random.default_rng([0, number])
    return random_person(rng), random_motion(rng, 24)


def moment_with(**changes: float) -> Moment:
    """A frontal face at rest in even light, except for the given values."""
    still = dict.fromkeys(Moment.__dataclass_fields__, 0.0)
    return Moment(**{**still, "scale": 1.0, "light_pitch": 30.0, **changes})


def plain_person() -> Person:
    """A person with plain skin: no beard, glasses, freckles or blush, and short hair."""
    person = the_person_and_motion(1001)[0]
    look = dict(vars(person.look)) | {
        "skin": (150.0, 180.0, 220.0), "lips": (60.0, 50.0, 190.0), "hair": (40.0, 40.0, 40.0),
        "hair_style": "buzz", "beard": 0.0, "moustache": 0.0, "blush": 0.0, "age": 0.0,
        "glasses": 0.0, "freckles": np.zeros((0, 3)), "iris": (120.0, 60.0, 30.0), "lashes": 1.0,
    }  # fmt: skip
    return Person(replace(person.build, eye_open=1.4), Look(**look))


def flat_picture(moment: Moment) -> tuple[NDArray[np.float32], Array]:
    """The painted colours without light, texture or camera, and the landmarks."""
    person = plain_person()
    head = pose_head(neutral_points(person.build), moment, WIDTH, HEIGHT)
    landmarks = head.landmarks()
    background = np.full((2 * HEIGHT, 2 * WIDTH, 4), (90, 140, 60, 0), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        for light in ("light_face", "light_elsewhere"):
            patch.setattr(f"facegan.synthetic.paint.{light}", lambda _, shape: np.ones(shape, np.float32))
        strands = np.zeros((HEIGHT, WIDTH), np.float32)
        return paint_person(head, landmarks, person, background, strands), landmarks


def inside(polygon: Array, shrink: float) -> NDArray[np.bool_]:
    """The pixels whose centre lies in a polygon scaled around its centre."""
    middle = polygon.mean(axis=0)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    scaled = np.rint((middle + shrink * (polygon - middle)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [scaled], 1, cv2.LINE_8, 4)
    return mask > 0


def pixel(picture: NDArray[np.float32], point: Array) -> NDArray[np.float32]:
    x, y = np.rint(point).astype(int)
    return np.asarray(picture[y, x])

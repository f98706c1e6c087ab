"""The live page with a camera, in headless Chromium: a film of a rendered face drives all arms, and photos become people."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.ingest.crop import crop_face, face_square
from tests.facegan.live.camera_film import AT_REST, frame_of, write_film
from tests.facegan.live.chromium import CHROMIUM, Chromium
from tests.facegan.live.conftest import Written

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
READY = "!!window.facegan || (document.getElementById('failure').hidden ? false : document.body.innerText)"
DRAWN = "(async () => { await new Promise(r => setTimeout(r, 50)); return !facegan.isDrawing(); })()"
GAP = "(face => face[66][1] - face[62][1])"
EYES = "(face => face[45][0] - face[36][0])"
OPEN, SHUT = f"{GAP}(facegan.state.face[1]) > 0.15 * {EYES}(facegan.state.face[1])", f"{GAP}(facegan.state.face[1]) < 2"
STATE = "document.getElementById('{}').textContent"
PEOPLE = "document.querySelectorAll('#people input')"
PERSON = 3
Points = NDArray[np.float64]
# What the page is given and makes, for the tests to look at.
SPY = """(() => {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices), made = URL.createObjectURL;
    navigator.mediaDevices.getUserMedia = async (wanted) => (window.given = await ask((window.wanted = wanted)));
    URL.createObjectURL = (blob) => made(window.saved = blob);
})()"""


@pytest.fixture(scope="module")
def page(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The page with a camera that shows a mouth which opens and shuts."""
    folder = tmp_path_factory.mktemp("camera")
    write_film(folder / "film.mjpeg", [(AT_REST, 40), (replace(AT_REST, open=1.0), 40)], PERSON)
    with Chromium(folder, camera=folder / "film.mjpeg") as browser:
        browser.open(url)
        browser.wait_for(READY)
        browser.evaluate(SPY)
        yield browser


@pytest.fixture
def filmed(page: Chromium) -> Iterator[Chromium]:
    """The page with the camera on, whose neutral face has its mouth shut."""
    page.evaluate("document.getElementById('camera').click()")
    page.wait_for("facegan.state.face !== null")
    page.wait_for(f"(() => {{ if (!({SHUT})) return false; document.getElementById('neutral').click(); return true; }})()")
    page.wait_for(f"{GAP}(facegan.state.face[0]) < 2")
    yield page
    page.evaluate("window.given.active && document.getElementById('camera').click()")
    page.wait_for(DRAWN)


def test_the_camera_is_asked_for_only_when_it_is_started_by_the_keyboard(page: Chromium, url: str) -> None:
    assert page.evaluate("typeof window.wanted") == "undefined"
    assert not any("face" in address for address in page.requests)
    page.evaluate("document.getElementById('camera').focus()")
    page.press(" ")
    page.wait_for("facegan.state.face !== null")
    assert page.evaluate("window.wanted.audio") is False and page.evaluate("window.given.active") is True
    page.press(" ")
    assert page.evaluate("window.given.getTracks().map(track => track.readyState)") == ["ended"]
    page.wait_for(DRAWN)
    assert page.evaluate("facegan.state.face") is None and page.evaluate("document.getElementById('filmed').hidden")
    np.testing.assert_allclose(page.evaluate("facegan.target()"), page.evaluate("facegan.state.person.points"), atol=1e-9)
    asked = {address.removeprefix(url) for address in page.requests if not address.startswith("data:")}
    assert asked >= {"face_worker.js", "face/detector.onnx", "face/mesh.onnx"}
    assert all(address.startswith(url) for address in page.requests if not address.startswith("data:"))
    assert page.errors == []


def test_the_mouth_of_the_camera_opens_that_of_all_drawings(filmed: Chromium) -> None:
    painted = "[...document.querySelectorAll('.card > canvas:first-of-type')].map(canvas => canvas.toDataURL())"
    filmed.wait_for(SHUT)
    shut = filmed.evaluate(painted)
    filmed.wait_for(OPEN)
    own, opened = (np.array(filmed.evaluate(script)) for script in ("facegan.state.person.points", "facegan.target()"))
    eyes = np.linalg.norm(own[45] - own[36])
    moved = np.linalg.norm(opened - own, axis=1) / eyes
    assert (opened[66] - opened[62])[1] > (own[66] - own[62])[1] + 0.12 * eyes
    assert moved[[56, 57, 58, 8]].min() > 0.1 and moved[27:48].max() < 0.08
    filmed.wait_for(f"({painted}).every((picture, arm) => picture !== {shut}[arm])")


def test_a_film_of_five_seconds_is_saved(filmed: Chromium, written: Written) -> None:
    filmed.evaluate("window.saved = null; document.getElementById('record').click()")
    assert filmed.evaluate(STATE.format("record")) == "Recording"
    filmed.wait_for(f"window.saved !== null && {STATE.format('record')} === 'Record 5 s'")
    read = (
        "new Promise(done => { const r = new FileReader(); r.onload = () => done(r.result); r.readAsDataURL(window.saved); })"
    )
    content = base64.b64decode(filmed.evaluate(read).partition("base64,")[2])
    with av.open(io.BytesIO(content), "r") as film:
        frames = [(frame.time or 0.0, frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]
    assert 4 < frames[-1][0] - frames[0][0] < 8 and len(frames) > 20
    pictures = np.stack([frame for _, frame in frames[:: len(frames) // 8]]).astype(int)
    tiles = len(written.live.arms) + 2
    assert pictures.shape[1:] == (252, 12 + tiles * 204, 3)
    # The arms' drawings and the camera's landmarks move, the source does not.
    changes = [pictures[:, 30:222, 12 + 204 * tile : 204 * (tile + 1)].std(axis=0).mean() for tile in range(tiles)]
    assert changes[0] < 2 and min(changes[1:]) > 2 * changes[0], changes
    # Landmarks only: light blue lines on black, and no picture of the camera.
    camera = pictures[:, 30:222, 216:408]
    assert (camera.max(axis=-1) < 40).mean() > 0.8 and (camera[..., 2] > 150).any()


def drop(page: Chromium, name: str, content: bytes) -> None:
    encoded = base64.b64encode(content).decode()
    page.evaluate(
        f"""(() => {{
            const bytes = Uint8Array.from(atob("{encoded}"), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], "{name}", {{ type: "image/png" }}));
            document.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
        }})()"""
    )


def png(image: NDArray[np.uint8]) -> bytes:
    done, encoded = cv2.imencode(".png", image)
    assert done
    return encoded.tobytes()


def test_a_dropped_photo_becomes_a_person_and_stays_here(page: Chromium, url: str) -> None:
    before, asked = page.evaluate(f"{PEOPLE}.length"), len(page.requests)
    frame, landmarks = frame_of(AT_REST, PERSON + 1)
    drop(page, "me.png", png(frame))
    page.wait_for(f"{PEOPLE}.length > {before}")
    page.wait_for(DRAWN)
    assert page.evaluate(f"{PEOPLE}[{before}].checked") and page.evaluate("facegan.state.person.own") is True
    points = np.array(page.evaluate("facegan.state.person.points"))
    true = landmarks.astype(np.float32)
    expected = crop_face(frame, true, face_square(true, 2.0), 32).points
    errors = np.linalg.norm(points - expected, axis=1) / np.linalg.norm(expected[45] - expected[36])
    assert errors.mean() < 0.12 and errors[27:].mean() < 0.1
    strips = page.evaluate("[...document.querySelectorAll('.card > canvas:first-of-type')].map(c => c.toDataURL())")
    assert len(strips) == 3 and "your own photo" in page.evaluate("document.getElementById('note').textContent")
    assert all(address.startswith((url, "data:")) for address in page.requests[asked:])
    page.evaluate(f"{PEOPLE}[0].click()")
    assert "SYNTHETIC" in page.evaluate("document.getElementById('note').textContent")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "grey.png",
            png(np.full((200, 300, 3), 90, np.uint8)),
            "No face was found in grey.png. Take a photo in which one face",
        ),
        ("notes.txt", b"no image", "notes.txt is not an image that this browser can read."),
    ],
)
def test_a_photo_without_a_face_ends_in_one_sentence(page: Chromium, name: str, content: bytes, sentence: str) -> None:
    before = page.evaluate(f"{PEOPLE}.length")
    drop(page, name, content)
    page.wait_for(f"{STATE.format('photo-state')}.startsWith({sentence!r})")
    assert page.evaluate(f"{PEOPLE}.length") == before


def test_the_cameras_picture_becomes_a_person_too(filmed: Chromium) -> None:
    before = filmed.evaluate(f"{PEOPLE}.length")
    filmed.evaluate("document.getElementById('take').click()")
    filmed.wait_for(f"{PEOPLE}.length > {before}")
    assert filmed.evaluate("facegan.state.person.own") is True
    # The camera's face of that picture leaves the person as it is.
    filmed.wait_for("String(facegan.state.face[0]) === String(facegan.state.person.landmarks)")
    filmed.evaluate(f"{PEOPLE}[0].click()")


@pytest.mark.parametrize(("nose", "extent"), [((60.3, 44.8), 30.0), ((12.0, 80.5), 50.0), ((70.0, 50.0), 8.0)])
def test_photos_are_cropped_as_the_training_data_are(page: Chromium, nose: tuple[float, float], extent: float) -> None:
    """Inside, with the edge repeated outside, and enlarged."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 16, 3), np.uint8)
    image = np.asarray(cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC), np.uint8)
    points = (nose + rng.uniform(-0.4, 0.4, (68, 2)) * extent).astype(np.float32)
    points[[0, 1, 30]] = nose + np.array([[-extent / 2, 0], [extent / 2, 0], [0, 0]])
    expected = crop_face(image, points, face_square(points, 2.0), 32)
    script = f"""(async () => {{
        const {{ cropFace }} = await import("./photos.js"), data = new ImageData(120, 90);
        {image.tolist()}.flat().forEach((pixel, i) => data.data.set([...pixel, 255], 4 * i));
        const found = cropFace(await createImageBitmap(data), false, {points.tolist()}, 2, 32);
        return [[...found.pixels.data], found.points];
    }})()"""
    pixels, moved = page.evaluate(script)
    np.testing.assert_allclose(moved, expected.points, atol=1e-3)
    difference = np.abs(np.array(pixels).reshape(32, 32, 4)[..., :3] - expected.image.astype(int))
    assert difference.max() <= (1 if extent > 16 else 3), difference.max()


def test_a_face_that_is_mostly_outside_of_its_photo_is_refused(page: Chromium) -> None:
    points = np.linspace((0, 0), (90, 90), 68)
    script = f"""import("./photos.js").then(async ({{ cropFace }}) => {{
        const picture = await createImageBitmap(new ImageData(40, 30));
        try {{ cropFace(picture, false, {points.tolist()}, 2, 32); }} catch (error) {{ return error.message; }}
    }})"""
    assert page.evaluate(script) == "The face is too large to be cropped."


def moved(page: Chromium, person: Points, neutral: Points, current: Points) -> Points:
    arguments = ", ".join(str(points.tolist()) for points in (person, neutral, current))
    return np.array(page.evaluate(f"import('./motion.js').then(({{ moved }}) => moved({arguments}))"))


def turned(points: Points, degrees: float, about: Points) -> Points:
    angle = np.radians(degrees)
    return (points - about) @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]] + about


def test_another_place_or_size_in_the_picture_moves_nothing_and_roll_turns_the_face(page: Chromium) -> None:
    person, camera = (frame_of(AT_REST, number)[1] for number in (1, PERSON))
    np.testing.assert_allclose(moved(page, person, camera, 1.4 * camera + (30, -9)), person, atol=1e-6)
    rolled = moved(page, person, camera, turned(camera, 15, camera[0]))
    np.testing.assert_allclose(rolled, turned(person, 15, person[30]), atol=1e-6)


def test_a_turned_head_is_narrower_not_longer(page: Chromium) -> None:
    person, camera = (frame_of(AT_REST, number)[1] for number in (1, PERSON))
    narrow = moved(page, person, camera, camera * (0.8, 1))
    assert narrow[45, 0] - narrow[36, 0] == pytest.approx(0.8 * (person[45, 0] - person[36, 0]), rel=1e-3)
    np.testing.assert_allclose(narrow[:, 1], person[:, 1], atol=0.5)


def test_wide_and_narrow_eyes_shut_alike_and_lips_do_not_cross(page: Chromium) -> None:
    person, camera = (frame_of(AT_REST, number)[1] for number in (1, PERSON))
    lids, lips = ([37, 38, 43, 44], [41, 40, 47, 46]), ([61, 62, 63], [67, 66, 65])
    camera[lips[0], 1] -= 8  # a mouth that is open at first
    shut = camera.copy()
    for upper, lower in (lids, lips):
        shut[upper, 1] = shut[lower, 1]
    for share in (0.5, 2.0):
        eyes = person.copy()
        eyes[lids[0], 1] = person[lids[1], 1] + share * (person[lids[0], 1] - person[lids[1], 1])
        found = moved(page, eyes, camera, shut)
        for upper, lower in (lids, lips):
            np.testing.assert_allclose(found[upper, 1], found[lower, 1], atol=1e-6)


def test_a_camera_that_cannot_be_used_is_said_in_one_sentence(page: Chromium) -> None:
    script = """(() => {{
        const devices = navigator.mediaDevices, ask = devices.getUserMedia;
        window.back = () => (devices.getUserMedia = ask);
        devices.getUserMedia = async () => {{ throw new DOMException("", "{}"); }};
        document.getElementById("camera").click();
    }})()"""
    for error, sentence in (
        ("NotAllowedError", "The camera was not allowed."),
        ("NotFoundError", "This machine has no camera."),
    ):
        page.evaluate(script.format(error))
        page.wait_for(f"{STATE.format('camera-state')} === '{sentence}'")
        assert page.evaluate(STATE.format("camera")) == "Start camera"
        page.evaluate("window.back()")


def test_face_networks_that_cannot_be_loaded_are_asked_for_again(page: Chromium) -> None:
    photo = base64.b64encode(png(frame_of(AT_REST, PERSON)[0])).decode()
    script = f"""(async () => {{
        const {{ findFace }} = await import("./networks.js?again"), fetched = window.fetch;
        const blob = new Blob([Uint8Array.from(atob("{photo}"), (letter) => letter.charCodeAt(0))]);
        window.fetch = async () => {{ throw new Error("the network is down"); }};
        const first = await findFace(await createImageBitmap(blob), {{}}).catch((error) => error.message);
        window.fetch = fetched;
        return [first, (await findFace(await createImageBitmap(blob), {{}})).length];
    }})()"""
    assert page.evaluate(script) == ["the network is down", 68]


def test_a_phone_with_a_camera_needs_no_scrolling_sideways(filmed: Chromium) -> None:
    filmed.resize(360, 740)
    assert filmed.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    filmed.resize(1280, 900)

"""The live page in headless Chromium: it draws what PyTorch draws, by mouse, keyboard and sliders, and asks no other server."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.ingest.shards import decode_image
from facegan.landmarks.points import PARTS
from facegan.live.export import GREY_LEVEL, Floats, draw_in_torch
from facegan.report.figure2 import SATURATION
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator
from tests.facegan.live.chromium import CHROMIUM, Chromium
from tests.facegan.live.conftest import Written

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]
READY = "window.facegan || (document.getElementById('failure').hidden ? false : document.body.innerText)"
DRAWN = "(async () => { await new Promise(r => setTimeout(r, 50)); return !facegan.isDrawing(); })()"
PAINTED = "[...document.querySelectorAll('.card > canvas:first-of-type')].map(canvas => canvas.toDataURL())"
PEOPLE = "document.querySelectorAll('#people input')"
RUNTIME = "vendor/ort.wasm.bundle.min.js"  # which the workers ask for
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        browser.open(url)
        browser.wait_for(READY)
        yield browser


@pytest.fixture
def page(browser: Chromium) -> Chromium:
    """The page as it was opened."""
    browser.evaluate("document.getElementById('reset').click(); document.querySelector('#people input').click()")
    browser.wait_for(DRAWN)
    return browser


def target(page: Chromium) -> NDArray[np.float64]:
    return np.array(page.evaluate("facegan.target()"))


def box(page: Chromium, selector: str) -> list[float]:
    """Left, top, width and height of an element, in pixels of the window."""
    found = page.evaluate(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
    return [float(found[side]) for side in ("left", "top", "width", "height")]


def of_torch(written: Written, arm: int, person: int, points: Floats) -> Floats:
    name = written.live.arms[arm].name
    generator, config = load_generator(trial_folder(written.study, shown_trials(written.plan, written.study)[name]).checkpoint)
    image = decode_image(np.frombuffer((written.out / written.live.people[person].image).read_bytes(), np.uint8))
    signed = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32) / np.float32(127.5) - 1
    drawn: Floats = draw_in_torch(generator, config, signed, points[None])[0]
    return drawn


def test_all_arms_draw_what_pytorch_draws(page: Chromium, written: Written) -> None:
    points = np.array(written.live.people[0].points, np.float32) + np.float32(1.25)
    drawn = page.evaluate(f"facegan.draw(1, {points.tolist()}).then(all => all.map(floats => [...floats]))")
    assert len(drawn) == len(written.live.arms) == 3
    for arm, floats in enumerate(drawn):
        expected = of_torch(written, arm, 1, points)
        assert np.abs(np.array(floats, np.float32).reshape(expected.shape) - expected).max() < GREY_LEVEL


def image_of(address: str) -> Floats:
    """The image [height, width, 3] RGB of a data URL, in [-1, 1]."""
    content = np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8)
    return decode_image(content).astype(np.float32) / np.float32(127.5) - 1


def has_mark(strip: Floats) -> bool:
    """White letters on a dark strip."""
    return bool((strip > 0.6).any() and (strip < -0.5).mean() > 0.5)


def test_each_arms_drawing_is_painted_above_its_mark(page: Chromium, written: Written) -> None:
    expected = [of_torch(written, arm, 0, target(page).astype(np.float32)).transpose(1, 2, 0) for arm in range(3)]
    for arm, address in enumerate(page.evaluate(PAINTED)):
        painted = image_of(address)
        assert painted.shape == (288 + 26, 288, 3) and has_mark(painted[288:])
        small = cv2.resize(painted[:288], (32, 32), interpolation=cv2.INTER_AREA)
        # Pictures are enlarged smoothly, which changes those of untrained networks.
        errors = [np.abs(small - image).mean() for image in expected]
        assert np.argmin(errors) == arm and 2 * errors[arm] < sorted(errors)[1]


def test_the_saved_picture_has_all_arms_and_a_mark_on_each(page: Chromium) -> None:
    saved = page.evaluate(
        """new Promise(done => {
            const before = HTMLCanvasElement.prototype.toBlob;
            HTMLCanvasElement.prototype.toBlob = function () { done(this.toDataURL()); };
            document.getElementById("save").click();
            HTMLCanvasElement.prototype.toBlob = before;
        })"""
    )
    picture, step = image_of(saved), 288 + 12
    assert picture.shape == (30 + 314 + 12, 12 + 4 * step, 3)
    for tile in range(4):
        assert has_mark(picture[30 + 288 : 30 + 314, 12 + tile * step : tile * step + step])


def test_the_page_starts_from_the_persons_own_landmarks(page: Chromium, written: Written) -> None:
    np.testing.assert_allclose(target(page), written.live.people[0].points, atol=1e-3)
    page.evaluate(f"{PEOPLE}[1].click()")
    np.testing.assert_allclose(target(page), written.live.people[1].points, atol=1e-3)


@pytest.mark.parametrize("whole", [False, True])
def test_dragging_moves_a_point_or_its_part_and_all_arms_draw_it(page: Chromium, whole: bool) -> None:
    checkbox = "document.getElementById('whole')"
    page.evaluate(f"{checkbox}.checked = {str(whole).lower()}")
    before, pictures = target(page), page.evaluate(PAINTED)
    x, y, side, _ = box(page, "#stage svg")
    at = [x + (before[8, 0] + 0.5) / 32 * side, y + (before[8, 1] + 0.5) / 32 * side]
    page.drag((at[0], at[1]), (at[0] + side / 16, at[1] - side / 32))
    page.wait_for(DRAWN)
    moved = target(page) - before
    expected = np.zeros((68, 2))
    expected[PARTS["jaw"][0][0] if whole else [8]] = [2, -1]
    np.testing.assert_allclose(moved, expected, atol=0.02)
    assert all(a != b for a, b in zip(pictures, page.evaluate(PAINTED), strict=True))


def test_a_point_stays_inside_and_reset_or_another_person_undoes_a_drag(page: Chromium, written: Written) -> None:
    x, y, side, _ = box(page, "#stage svg")
    for undo, person in (("document.getElementById('reset').click()", 0), (f"{PEOPLE}[1].click()", 1)):
        page.evaluate("document.getElementById('whole').checked = false")
        start = target(page)[8]
        at = (x + (start[0] + 0.5) / 32 * side, y + (start[1] + 0.5) / 32 * side)
        page.drag(at, (x + 1.2 * side, at[1]))
        np.testing.assert_allclose(target(page)[8], [31, start[1]], atol=0.02)
        page.evaluate(undo)
        np.testing.assert_allclose(target(page), written.live.people[person].points, atol=1e-3)
        page.wait_for(DRAWN)  # the points to drag are those of the last drawing


def test_the_keyboard_moves_a_part_or_a_point_of_it(page: Chromium) -> None:
    before = target(page)
    page.evaluate("document.querySelector('#stage .part').focus()")
    page.press("Tab")
    assert "right brow" in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.press("ArrowUp")
    page.press("ArrowRight", shift=True)
    expected = np.zeros((68, 2))
    expected[17:22] = [0.03 * 32, -0.008 * 32]
    np.testing.assert_allclose(target(page) - before, expected, atol=1e-3)
    page.press(".")
    page.press(".")
    page.press("ArrowDown")
    expected[18] += [0, 0.008 * 32]
    np.testing.assert_allclose(target(page) - before, expected, atol=1e-3)


def slide(page: Chromium, name: str, value: float) -> NDArray[np.float64]:
    """How far a slider moves the landmarks, in eye distances."""
    before = target(page)
    page.evaluate(
        f"Object.assign(document.querySelector('[name=\"{name}\"]'), {{ value: {value} }}).dispatchEvent(new Event('input'))"
    )
    return (target(page) - before) / np.linalg.norm(before[45] - before[36])


def test_sliders_move_the_parts_that_they_name(page: Chromium) -> None:
    """Landmarks of other parts stay, and a slider at zero gives the person's own landmarks."""
    reset = "document.getElementById('reset').click()"
    smile = np.linalg.norm(slide(page, "smile", 1), axis=1)
    assert smile[[48, 54]].min() > 0.08 and smile[:48].max() < 1e-4
    page.evaluate(reset)
    down = slide(page, "jaw open", 1)
    assert down[8].max() > 0.15 and down[66, 1] - down[62, 1] > 0.2 and np.abs(down[17:48]).max() < 1e-4
    page.evaluate(reset)
    raised = slide(page, "brow raise", 1)
    assert (raised[17:27, 1] < -0.05).all() and np.abs(raised[27:]).max() < 1e-4 and np.abs(raised[:17]).max() < 1e-4
    page.evaluate(reset)
    slide(page, "blink", 1)
    lids = target(page)
    np.testing.assert_allclose(lids[[37, 38, 43, 44]], lids[[41, 40, 47, 46]], atol=1e-3)
    page.evaluate(reset)
    before = target(page)
    slide(page, "roll", 20)
    turned = target(page)
    angles = [np.degrees(np.arctan2(*(face[45] - face[36])[::-1])) for face in (before, turned)]
    assert angles[1] - angles[0] == pytest.approx(20, abs=0.01)
    page.evaluate(reset)
    right = slide(page, "yaw", 20)
    assert right[30, 0] > right[[0, 16], 0].max() + 0.2  # the nose goes further than the sides of the face
    page.evaluate(reset)
    up = slide(page, "pitch", 15)
    assert up[30, 1] < up[[0, 16], 1].min() - 0.1
    page.evaluate(reset)
    np.testing.assert_allclose(target(page), before, atol=1e-4)


def test_differences_have_the_scale_of_figure_2(page: Chromium) -> None:
    assert page.evaluate("import('./pictures.js').then(pictures => pictures.SATURATION)") == SATURATION


def test_differences_are_between_the_arms_that_are_asked_for(page: Chromium, written: Written) -> None:
    text = "card.querySelector('.map').hidden ? '' : card.querySelector('p').textContent"
    texts = f"[...document.querySelectorAll('.card')].map(card => {text})"
    assert page.evaluate(texts) == ["", "", ""]
    page.evaluate("document.getElementById('differences').click()")
    first = page.evaluate(texts)
    assert first[2] == "compared with itself", "the arm with all terms"
    points = target(page).astype(np.float32)
    full, *others = (of_torch(written, arm, 0, points) for arm in (2, 0, 1))
    for text, other in zip(first[:2], others, strict=True):
        level = float(re.fullmatch(r"differs by (\S+) grey levels on average", text)[1])  # type: ignore[index]
        assert level == pytest.approx(np.abs(other - full).mean() / GREY_LEVEL, abs=0.1)
    page.evaluate("Object.assign(document.getElementById('reference'), { value: 0 }).dispatchEvent(new Event('change'))")
    other = page.evaluate(texts)
    assert other[0] == "compared with itself" and other[2] == first[0]
    page.evaluate("document.getElementById('differences').click()")
    assert page.evaluate(texts) == ["", "", ""]


def test_only_the_last_of_many_movements_is_waited_for(page: Chromium) -> None:
    page.evaluate(
        "for (let i = 0; i < 200; i++) facegan.state.dragged.set(8, [0, i / 100]), document.getElementById('reset').click()"
    )
    page.wait_for(DRAWN)
    assert page.evaluate("facegan.state.drawn.length") == 3


def test_faces_that_are_asked_for_at_once_are_drawn_one_after_the_other(page: Chromium, written: Written) -> None:
    asked = ", ".join(f"facegan.draw({i}, {written.live.people[i].points})" for i in (0, 1))
    page.evaluate(
        f"Promise.all([{asked}]).then(faces => {{ window.faces = faces.map(all => all.map(floats => [...floats])); }}), 0"
    )
    for person, drawn in enumerate(page.wait_for("window.faces")):
        expected = of_torch(written, 0, person, np.array(written.live.people[person].points, np.float32))
        assert np.abs(np.array(drawn[0], np.float32).reshape(expected.shape) - expected).max() < GREY_LEVEL


def test_a_browser_that_refuses_to_record_can_be_asked_again(page: Chromium) -> None:
    page.evaluate(
        """window.began = 0;
        window.MediaRecorder = class extends MediaRecorder {
            start() { window.began += 1; throw new Error("no encoder is free"); }
        };"""
    )
    for times in (1, 2):
        page.evaluate("document.getElementById('record').click()")
        assert page.evaluate("window.began") == times
        assert page.evaluate("document.getElementById('speed').textContent") == "no encoder is free"
    assert page.evaluate("document.getElementById('record').textContent") == "Record 5 s"


def test_the_note_stays_and_names_and_scores_are_shown(page: Chromium) -> None:
    page.evaluate("window.scrollTo(0, 10000)")
    _, top, _, height = box(page, "#note")
    text = page.evaluate("document.getElementById('note').textContent")
    assert 0 < top < top + height <= page.evaluate("innerHeight") and "SYNTHETIC" in text
    assert page.evaluate("[...document.querySelectorAll('.card h3')].map(h => h.textContent)") == ["-Cons.", "-Pixel", "Full"]
    assert "face error" in page.evaluate("document.querySelector('.card').innerText")
    assert "-Feature" in page.evaluate("document.getElementById('missing').textContent")


def test_nothing_but_this_server_was_asked(page: Chromium, url: str) -> None:
    addresses = [address for address in page.requests if not address.startswith("data:")]
    assert {address.removeprefix(url) for address in addresses} >= {"", "live.json", "worker.js", "networks/0.onnx", RUNTIME}
    assert [address for address in addresses if not address.startswith(url)] == []
    assert page.errors == []
    refused = "fetch('http://localhost:9/').then(() => 'sent', error => String(error))"
    assert "TypeError" in page.evaluate(refused) and any("Content Security Policy" in error for error in page.errors)


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_needs_no_scrolling_sideways(url: str, tmp_path: Path, dark: bool) -> None:
    with Chromium(tmp_path, width=360, height=740, dark=dark) as phone:
        phone.open(url)
        phone.wait_for(READY)
        assert phone.evaluate(SIDEWAYS) == 0
        background = phone.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1280, 900), (390, 844)])
def test_all_drawings_are_in_view_while_a_slider_is_moved(url: str, tmp_path: Path, width: int, height: int) -> None:
    with Chromium(tmp_path, width, height) as window:
        window.open(url)
        window.wait_for(READY)
        window.evaluate("document.getElementById('controls').style.paddingBottom = '900px'")
        seen = """[...document.querySelectorAll('.card > canvas:first-of-type, #sliders input')].filter(shown => {
            const { x, y, width, height } = shown.getBoundingClientRect();
            return [0.02, 0.5, 0.98].every(part => document.elementFromPoint(x + width / 2, y + part * height) === shown);
        }).length"""
        _, top, _, tall = box(window, "#sliders")
        lowest = max(top + tall - box(window, "#note")[1], 0)
        assert height < 900 or lowest == 0, "a high window needs no scrolling"
        for scrolled in (lowest, top - 200):  # the sliders just above the note, and at the top of the window
            window.evaluate(f"window.scrollTo(0, {scrolled})")
            assert window.evaluate(seen) == 3 + 7, "arms and sliders"

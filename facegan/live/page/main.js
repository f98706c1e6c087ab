// The page: reads live.json, keeps what the user has set, and has all arms draw it.

import { Cards, element } from "./cards.js";
import { expressed } from "./expressions.js";
import { moved } from "./motion.js";
import { loadNetworks } from "./networks.js";
import { ownFace } from "./own.js";
import { People } from "./people.js";
import { MARK, SATURATION, colourOf, loadImage, newCanvas, paintFace, paintMarked, paintTiles } from "./pictures.js";
import { Recorder } from "./recorder.js";
import { listSliders } from "./sliders.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const SAVED_SIDE = 288; // of a picture in a saved one
// person: whom the arms draw. shown: the person in the stage's canvas. face: [neutral, current] landmarks of the camera's face.
// dragged: [dx, dy] in pixels by landmark.
const state = { person: null, shown: null, sliders: {}, face: null, dragged: new Map(), drawn: null, paintings: 0 };
let live, stage, cards, people, camera, draw, resetSliders;
const recorder = new Recorder(saveFilm);
const sourceTile = newCanvas(0, 0), cameraTile = newCanvas(0, 0);

async function start() {
  live = await (await fetch("live.json")).json();
  if (!live.arms.length) throw new Error("no arm of this study has a network yet");
  const loaded = live.people.map(async (person) => ({ ...person, ...(await loadImage(person.image, live.size)) }));
  stage = new Stage($("stage"), live, () => $("whole").checked, drag);
  cards = new Cards($("cards"), live);
  resetSliders = listSliders($("sliders"), state.sliders, changed);
  people = new People($("people"), await Promise.all(loaded), choose);
  state.person = people.list[0];
  camera = ownFace(live, taken, follow, (person) => people.choose(person));
  describe();
  listen();
  showFace();
  draw = await loadNetworks(live);
  await refresh();
  // For tests and for scripts of the user's own: the state, and the arms' drawings of any landmarks [68][2].
  const drawFace = (person, points) => draw(people.list[person].floats, Float32Array.from(points.flat()));
  window.facegan = { live, state, target, draw: drawFace, measure, isDrawing: () => busy };
}

function describe() {
  const arms = `${live.arms.length} arm${live.arms.length === 1 ? "" : "s"}`;
  $("study").textContent = `Study ${live.study}: design ${live.design}, preset ${live.preset}, ${arms}, ${live.size} x ${live.size} pixels.`;
  showNote();
  if (live.missing.length) {
    $("missing").textContent = `Without a network: ${live.missing.join(", ")}.`;
    $("missing").hidden = false;
  }
  live.arms.forEach((arm, i) => $("reference").append(element("option", { value: i, textContent: arm.label, selected: arm.has_all_terms })));
  $("scale").lastElementChild.textContent = `${SATURATION} grey levels and more`;
  const colours = $("colours"), context = colours.getContext("2d");
  for (let x = 0; x < colours.width; x++) {
    context.fillStyle = `rgb(${colourOf(x / (colours.width - 1))})`;
    context.fillRect(x, 0, 1, 1);
  }
}

function showNote() {
  const synthetic = "Drawn by networks. The faces are SYNTHETIC: rendered by a program, not real people.";
  const own = "Drawn by networks from your own photo, which stays in this browser.";
  const real = "Drawn by networks from images of real people. Do not publish.";
  $("note").textContent = state.person.own ? own : live.synthetic ? synthetic : real;
}

function listen() {
  $("reset").addEventListener("click", () => {
    resetSliders();
    state.dragged.clear();
    changed();
  });
  for (const id of ["differences", "reference"]) $(id).addEventListener("change", paint);
  $("save").addEventListener("click", save);
  $("record").addEventListener("click", record);
}

function choose(person) {
  state.person = person;
  state.dragged.clear();
  showNote();
  changed();
}

// The camera's face, and the one that it started with; null: no camera.
function follow(neutral, current) {
  state.face = neutral && [neutral, current];
  changed();
}

function drag(landmarks, dx, dy) {
  for (const i of landmarks) {
    const [x, y] = state.dragged.get(i) ?? [0, 0];
    state.dragged.set(i, [x + dx, y + dy]);
  }
  changed();
}

// The landmarks [68][2] that the arms draw: the person's own, moved by the camera's face, by the sliders, then by hand.
function target() {
  const own = state.person.points;
  const points = expressed(state.face ? moved(own, ...state.face) : own, state.sliders);
  for (const [i, [dx, dy]] of state.dragged) points[i] = [points[i][0] + dx, points[i][1] + dy];
  return points;
}

function showFace() {
  if (state.shown !== state.person) {
    const canvas = $("source");
    canvas.width = canvas.height = live.size;
    canvas.getContext("2d").putImageData(state.person.pixels, 0, 0);
    state.shown = state.person;
  }
  stage.show(target());
}

let busy = false, waiting = false;
const waiters = []; // what goes on when the networks have taken the state that waits

function changed() {
  if (draw) refresh();
  else showFace();
}

// Resolves when no state waits for the networks.
async function taken() {
  if (waiting) await new Promise((go) => waiters.push(go));
}

// Draw the state. While the networks are busy, later states wait, and only the last of them is drawn.
async function refresh() {
  waiting = busy;
  if (busy) return;
  busy = true;
  try {
    for (let drawing = timed(drawState()); drawing; ) {
      const { drawn, milliseconds } = await drawing;
      // The networks go on while this drawing is painted.
      drawing = waiting ? timed(drawState()) : null;
      waiting = false;
      for (const go of waiters.splice(0)) go();
      state.drawn = drawn;
      state.paintings += 1;
      paint();
      $("speed").textContent = `${milliseconds} ms for all arms`;
    }
  } catch (error) {
    fail(error);
  } finally {
    busy = false;
  }
}

// The stage is painted once a drawing: it takes as long as the arms' drawings.
function drawState() {
  showFace();
  return draw(state.person.floats, Float32Array.from(target().flat()));
}

async function timed(drawing) {
  const began = performance.now(), drawn = await drawing;
  return { drawn, milliseconds: Math.round(performance.now() - began) };
}

function paint() {
  $("scale").hidden = !$("differences").checked;
  if (!state.drawn) return;
  cards.paint(state.drawn, $("differences").checked ? Number($("reference").value) : null, MARK[state.person.own ? false : live.synthetic]);
  if (recorder.running) recorder.paint();
}

// What is saved: the source, the camera's landmarks if it is on, and the arms' drawings.
function tiles(withCamera) {
  paintMarked(sourceTile, state.person.pixels, state.person.own ? "your photo" : live.synthetic ? "rendered · synthetic" : "a real person");
  const [neutral, current] = state.face ?? [];
  if (withCamera) paintFace(cameraTile, live.parts, neutral, current, "landmarks only");
  return [["Source", sourceTile], ...(withCamera ? [["Camera", cameraTile]] : []), ...cards.tiles()];
}

function save() {
  const canvas = document.createElement("canvas");
  paintTiles(canvas, tiles(state.face !== null), SAVED_SIDE);
  canvas.toBlob((blob) => download(blob, "png"));
}

function record() {
  if (recorder.running) return;
  try {
    const withCamera = camera.running;
    recorder.start(() => tiles(withCamera));
    $("record").textContent = "Recording";
  } catch (error) {
    $("speed").textContent = error.message;
  }
}

function saveFilm(film, ending) {
  $("record").textContent = "Record 5 s";
  download(film, ending);
}

function download(blob, ending) {
  const link = element("a", { href: URL.createObjectURL(blob), download: `facegan-${live.study}.${ending}` });
  link.click();
  URL.revokeObjectURL(link.href);
}

// Drawings of all arms per second, painted, while a slider moves all the time.
async function measure(count) {
  const began = performance.now(), before = state.paintings;
  while (state.paintings < before + count) {
    state.sliders.yaw = 20 * Math.sin(performance.now() / 300);
    changed();
    await new Promise(requestAnimationFrame);
  }
  return (1000 * (state.paintings - before)) / (performance.now() - began);
}

function fail(error) {
  $("failure").textContent = `The page cannot draw: ${error.message}`;
  $("failure").hidden = false;
  $("speed").textContent = "";
}

start().catch(fail);

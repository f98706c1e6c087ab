// The page: reads live.json, keeps what the user has set, and has all arms draw it.

import { Cards, element } from "./cards.js";
import { SLIDERS, expressed } from "./expressions.js";
import { loadNetworks } from "./networks.js";
import { SATURATION, SIDE, colourOf, loadImage, paintMarked } from "./pictures.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
// dragged: [dx, dy] in pixels by landmark. shown: the person in the stage's canvas.
const state = { person: 0, shown: null, sliders: {}, dragged: new Map(), drawn: null, paintings: 0 };
let live, stage, cards, images, draw;

async function start() {
  live = await (await fetch("live.json")).json();
  if (!live.arms.length) throw new Error("no arm of this study has a network yet");
  describe();
  images = await Promise.all(live.people.map((person) => loadImage(person.image, live.size)));
  stage = new Stage($("stage"), live, () => $("whole").checked, drag);
  cards = new Cards($("cards"), live);
  listSliders();
  listPeople();
  listen();
  showFace();
  draw = await loadNetworks(live);
  await refresh();
  // For tests and for scripts of the user's own: the state, and the arms' drawings of any landmarks [68][2].
  const drawFace = (person, points) => draw(images[person].floats, Float32Array.from(points.flat()));
  window.facegan = { live, state, target, draw: drawFace, measure, isDrawing: () => busy };
}

function describe() {
  const arms = `${live.arms.length} arm${live.arms.length === 1 ? "" : "s"}`;
  $("study").textContent = `Study ${live.study}: design ${live.design}, preset ${live.preset}, ${arms}, ${live.size} x ${live.size} pixels.`;
  $("note").textContent = live.synthetic
    ? "Drawn by networks. The faces are SYNTHETIC: rendered by a program, not real people."
    : "Drawn by networks from images of real people. Do not publish.";
  if (live.missing.length) {
    $("missing").textContent = `Without a network yet: ${live.missing.join(", ")}.`;
    $("missing").hidden = false;
  }
  live.arms.forEach((arm, i) => $("reference").append(element("option", { value: i, textContent: arm.label })));
  $("scale").lastElementChild.textContent = `${SATURATION} grey levels and more`;
  const colours = $("colours"), context = colours.getContext("2d");
  for (let x = 0; x < colours.width; x++) {
    context.fillStyle = `rgb(${colourOf(x / (colours.width - 1))})`;
    context.fillRect(x, 0, 1, 1);
  }
}

function listSliders() {
  for (const { name, low, high, unit } of SLIDERS) {
    const label = element("label", {}), output = element("output", {});
    const input = element("input", { type: "range", min: low, max: high, step: unit ? 1 : 0.05, value: 0, name });
    const show = () => (output.textContent = unit ? `${input.value}${unit}` : `${Math.round(100 * input.value)} %`);
    input.addEventListener("input", () => {
      state.sliders[name] = Number(input.value);
      show();
      changed();
    });
    input.addEventListener("reset", () => {
      input.value = 0;
      show();
    });
    show();
    label.append(name, input, output);
    $("sliders").append(label);
  }
}

function listPeople() {
  live.people.forEach((person, i) => {
    const label = element("label", {});
    const input = element("input", { type: "radio", name: "person", value: i, checked: i === 0 });
    label.append(input, element("img", { src: person.image, alt: "" }), person.name);
    input.addEventListener("change", () => {
      state.person = i;
      state.dragged.clear();
      changed();
    });
    $("people").append(label);
  });
}

function listen() {
  $("reset").addEventListener("click", () => {
    state.sliders = {};
    state.dragged.clear();
    for (const input of document.querySelectorAll("#sliders input")) input.dispatchEvent(new Event("reset"));
    changed();
  });
  for (const id of ["differences", "reference"]) $(id).addEventListener("change", paint);
  $("save").addEventListener("click", save);
}

function drag(landmarks, dx, dy) {
  for (const i of landmarks) {
    const [x, y] = state.dragged.get(i) ?? [0, 0];
    state.dragged.set(i, [x + dx, y + dy]);
  }
  changed();
}

// The landmarks [68][2] that the arms draw: the person's own, after the sliders, then moved by hand.
function target() {
  const points = expressed(live.people[state.person].points, state.sliders);
  for (const [i, [dx, dy]] of state.dragged) points[i] = [points[i][0] + dx, points[i][1] + dy];
  return points;
}

function showFace() {
  if (state.shown !== state.person) {
    const canvas = $("source");
    canvas.width = canvas.height = live.size;
    canvas.getContext("2d").putImageData(images[state.person].pixels, 0, 0);
    state.shown = state.person;
  }
  stage.show(target());
}

let busy = false, waiting = false;

function changed() {
  showFace();
  if (draw) refresh();
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

function drawState() {
  return draw(images[state.person].floats, Float32Array.from(target().flat()));
}

async function timed(drawing) {
  const began = performance.now(), drawn = await drawing;
  return { drawn, milliseconds: Math.round(performance.now() - began) };
}

function paint() {
  $("scale").hidden = !$("differences").checked;
  if (state.drawn) cards.paint(state.drawn, $("differences").checked ? Number($("reference").value) : null);
}

function save() {
  const source = document.createElement("canvas");
  paintMarked(source, images[state.person].pixels, SIDE, live.synthetic ? "rendered · synthetic" : "a real person");
  cards.picture(source).toBlob((blob) => {
    const link = element("a", { href: URL.createObjectURL(blob), download: `facegan-${live.study}.png` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
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

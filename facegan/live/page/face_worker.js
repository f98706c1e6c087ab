// Finds the landmarks of one face in pictures: a detector finds the face, then a mesh finds its points.
//
// As in MediaPipe's graphs, the mesh sees a square around the face, turned so that the eyes are level. In a film the square is
// that around the points of the last picture, and the detector runs only where there was no face.

import * as ort from "./vendor/ort.wasm.bundle.min.js";
import { landmarksOf } from "./mesh68.js";

const DETECTOR_SIDE = 128, MESH_SIDE = 192;
const LIKELY = 0.5; // scores from which on something is a face
const MARGIN = 1.5; // side of the mesh's square, relative to the face
const RIGHT_EYE = 33, LEFT_EYE = 263; // outer corners, points of the mesh
const OVERLAP = 0.3; // from which on two boxes are of the same face

const views = new Map(); // by side: what the networks see
let detector, mesh;
let last = null; // the square around the face of the last picture

self.onmessage = async ({ data }) => {
  try {
    if (data.wasm) await load(data);
    else self.postMessage({ landmarks: await find(data) });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};

async function load({ wasm, networks }) {
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1;
  [detector, mesh] = await Promise.all(networks.map((bytes) => ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] })));
  for (const side of [DETECTOR_SIDE, MESH_SIDE]) {
    views.set(side, new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true }));
  }
  self.postMessage({ ready: true });
}

// The landmarks [68][2] of the face in a picture, or null. Whole numbers are pixel centres. With `mirrored`, the picture is mirrored
// first. `film`: the picture follows the last one.
async function find({ picture, mirrored, film }) {
  const image = { picture, mirrored, width: picture.width, height: picture.height };
  try {
    let points = film && last ? await pointsIn(image, last) : null;
    if (!points) {
      const square = await detect(image);
      points = square && (await pointsIn(image, square));
      // The detector's square is rough. In a film the next picture has a better one.
      if (points && !film) points = (await pointsIn(image, squareOf(points))) ?? points;
    }
    last = points && squareOf(points);
    return points && landmarksOf(points).map(([x, y]) => [x - 0.5, y - 0.5]);
  } finally {
    picture.close();
  }
}

// The square around the most likely face, or null. Boxes that overlap it are averaged, by their likelihood.
async function detect(image) {
  const side = Math.max(image.width, image.height);
  const whole = { x: image.width / 2, y: image.height / 2, side, angle: 0 };
  const { faces, scores } = await detector.run({ image: view(image, whole, DETECTOR_SIDE) });
  const likely = [...scores.data.keys()].filter((i) => scores.data[i] >= LIKELY);
  if (!likely.length) return null;
  const face = (i) => faces.data.subarray(16 * i, 16 * i + 16);
  const best = likely.reduce((a, b) => (scores.data[b] > scores.data[a] ? b : a));
  const same = likely.filter((i) => overlap(face(i), face(best)) > OVERLAP);
  const total = same.reduce((sum, i) => sum + scores.data[i], 0);
  const mean = (k) => same.reduce((sum, i) => sum + (scores.data[i] / total) * face(i)[k], 0);
  const [x, y, width, height, rightX, rightY, leftX, leftY] = Array.from({ length: 8 }, (_, k) => mean(k));
  return {
    x: whole.x + (x - 0.5) * side,
    y: whole.y + (y - 0.5) * side,
    side: MARGIN * Math.max(width, height) * side,
    angle: Math.atan2(leftY - rightY, leftX - rightX),
  };
}

// Intersection over union of two boxes (centre x and y, width, height).
function overlap([x, y, width, height], [x2, y2, width2, height2]) {
  const across = Math.min(x + width / 2, x2 + width2 / 2) - Math.max(x - width / 2, x2 - width2 / 2);
  const down = Math.min(y + height / 2, y2 + height2 / 2) - Math.max(y - height / 2, y2 - height2 / 2);
  const shared = Math.max(0, across) * Math.max(0, down);
  return shared / (width * height + width2 * height2 - shared);
}

// The mesh's points in a square of the image, a flat [468 * 2] in the image's pixels from its corner, or null without a face.
async function pointsIn(image, square) {
  const { points, score } = await mesh.run({ image: view(image, square, MESH_SIDE) });
  if (score.data[0] < LIKELY) return null;
  const scale = square.side / MESH_SIDE, [cos, sin] = [scale * Math.cos(square.angle), scale * Math.sin(square.angle)];
  const found = new Float32Array(points.data.length);
  for (let i = 0; i < found.length; i += 2) {
    const [across, down] = [points.data[i] - MESH_SIDE / 2, points.data[i + 1] - MESH_SIDE / 2];
    found[i] = square.x + cos * across - sin * down;
    found[i + 1] = square.y + sin * across + cos * down;
  }
  return found;
}

function squareOf(points) {
  const x = points.filter((_, i) => i % 2 === 0), y = points.filter((_, i) => i % 2 === 1);
  const [left, right, top, bottom] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
  return {
    x: (left + right) / 2,
    y: (top + bottom) / 2,
    side: MARGIN * Math.max(right - left, bottom - top),
    angle: Math.atan2(y[LEFT_EYE] - y[RIGHT_EYE], x[LEFT_EYE] - x[RIGHT_EYE]),
  };
}

// What a network sees: a turned square of the image, [1, side, side, 4] bytes; black outside of the image.
function view({ picture, mirrored, width }, square, side) {
  const context = views.get(side);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, side, side);
  context.imageSmoothingQuality = "medium"; // averages over what is left out
  context.translate(side / 2, side / 2);
  context.rotate(-square.angle);
  context.scale(side / square.side, side / square.side);
  context.translate(-square.x, -square.y);
  if (mirrored) context.transform(-1, 0, 0, 1, width, 0);
  context.drawImage(picture, 0, 0);
  return new ort.Tensor("uint8", new Uint8Array(context.getImageData(0, 0, side, side).data.buffer), [1, side, side, 4]);
}

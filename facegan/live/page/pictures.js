// Images as numbers: [3, size, size] floats in [-1, 1], as the networks take and return them.

const VIRIDIS = [
  [68, 1, 84], [72, 36, 117], [65, 68, 135], [53, 95, 141], [42, 120, 142], [33, 145, 140],
  [34, 168, 132], [66, 190, 113], [122, 209, 81], [189, 223, 38], [253, 231, 37],
];
export const SATURATION = 96; // grey levels from which on differences have the last colour, as in Figure 2
export const SIDE = 288; // of a painted picture; the page scales it
const STRIP = 0.09; // height of the strip with the mark, as a share of the picture's side
export const MARK = { true: "drawn by a network · synthetic", false: "drawn by a network" };

// The pixels of an image file: floats, and an ImageData of the same.
export async function loadImage(url, size) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const context = newCanvas(size, size).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, size, size);
  return { floats: floatsOf(pixels), pixels };
}

// A square ImageData as floats.
export function floatsOf({ data, width }) {
  const area = width * width, floats = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) floats[c * area + i] = data[4 * i + c] / 127.5 - 1;
  }
  return floats;
}

// Floats as an ImageData, rounded to 8 bits.
export function toPixels(floats, size) {
  const pixels = new ImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = Math.round((floats[c * size * size + i] + 1) * 127.5);
    pixels.data[4 * i + 3] = 255;
  }
  return pixels;
}

// The absolute difference of two images, averaged over colour, in colours; and its mean over all pixels, grey levels.
export function differenceMap(floats, others, size) {
  const pixels = new ImageData(size, size);
  let total = 0;
  for (let i = 0; i < size * size; i++) {
    let sum = 0;
    for (let c = 0; c < 3; c++) sum += Math.abs(floats[c * size * size + i] - others[c * size * size + i]);
    const levels = (sum / 3) * 127.5;
    total += levels;
    pixels.data.set(colourOf(levels / SATURATION), 4 * i);
    pixels.data[4 * i + 3] = 255;
  }
  return { pixels, mean: total / (size * size) };
}

// A colour of viridis for a value in [0, 1]; larger ones have the last colour.
export function colourOf(value) {
  const at = Math.min(Math.max(value, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((start, c) => Math.round(start + (VIRIDIS[low + 1][c] - start) * (at - low)));
}

export function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

// Paint an image, enlarged, above a strip that says what it is; null: black. So a browser's own "save image" saves the mark too.
export function paintMarked(canvas, pixels, mark) {
  const strip = Math.round(SIDE * STRIP), context = canvas.getContext("2d");
  if (marks.get(canvas) !== mark) {
    canvas.width = SIDE;
    canvas.height = SIDE + strip;
    context.fillStyle = "#222";
    context.fillRect(0, SIDE, SIDE, strip);
    context.fillStyle = "#fff";
    context.font = `${Math.round(strip * 0.62)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(mark, SIDE / 2, SIDE + strip / 2, SIDE - 4);
    marks.set(canvas, mark);
  }
  if (!pixels) {
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    return;
  }
  small ??= newCanvas(pixels.width, pixels.height);
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.drawImage(small, 0, 0, SIDE, SIDE);
}

let small; // all images of a page have one size
const marks = new WeakMap(); // of canvases that have been painted

// Paint canvases with marks side by side, each under its label: [label, canvas].
export function paintTiles(canvas, tiles, side) {
  const gap = 12, title = 30, step = side + gap, high = Math.round(side * (1 + STRIP));
  const width = gap + tiles.length * step, height = title + high + gap;
  // Even numbers, which films need. A canvas that is resized forgets its film.
  if (canvas.width !== width + (width % 2) || canvas.height !== height + (height % 2)) {
    [canvas.width, canvas.height] = [width + (width % 2), height + (height % 2)];
  }
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#000";
  context.font = "18px system-ui, sans-serif";
  tiles.forEach(([label, tile], i) => {
    context.fillText(label, gap + i * step, 21, side);
    context.drawImage(tile, gap + i * step, title, side, high);
  });
}

// Paint landmarks [68][2] as lines on black, scaled so that those of `first` take the middle, above a mark.
export function paintFace(canvas, parts, first, landmarks, mark) {
  paintMarked(canvas, null, mark);
  if (!landmarks) return;
  const [low, high] = [Math.min, Math.max].map((most) => [0, 1].map((axis) => most(...first.map((point) => point[axis]))));
  const scale = SIDE / (2 * Math.max(high[0] - low[0], high[1] - low[1]));
  const place = (i) => [0, 1].map((axis) => SIDE / 2 + scale * (landmarks[i][axis] - (low[axis] + high[axis]) / 2));
  const context = canvas.getContext("2d");
  context.strokeStyle = "#6fd3ff";
  context.lineWidth = 2;
  context.beginPath();
  for (const { lines, closed } of parts) {
    for (const line of lines) {
      context.moveTo(...place(line[0]));
      for (const i of closed ? [...line.slice(1), line[0]] : line.slice(1)) context.lineTo(...place(i));
    }
  }
  context.stroke();
}

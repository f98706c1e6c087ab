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
  const floats = new Float32Array(3 * size * size);
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < 3; c++) floats[c * size * size + i] = pixels.data[4 * i + c] / 127.5 - 1;
  }
  return { floats, pixels };
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

// Paint an image, enlarged, above a strip that says what it is. So a browser's own "save image" saves the mark too.
export function paintMarked(canvas, pixels, side, mark) {
  const strip = Math.round(side * STRIP), context = canvas.getContext("2d");
  if (canvas.height !== side + strip) {
    canvas.width = side;
    canvas.height = side + strip;
    context.fillStyle = "#222";
    context.fillRect(0, side, side, strip);
    context.fillStyle = "#fff";
    context.font = `${Math.round(strip * 0.62)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(mark, side / 2, side + strip / 2, side - 4);
  }
  small ??= newCanvas(pixels.width, pixels.height);
  small.getContext("2d").putImageData(pixels, 0, 0);
  context.drawImage(small, 0, 0, side, side);
}

let small; // all images of a page have one size

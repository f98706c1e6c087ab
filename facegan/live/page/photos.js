// The user's own photo as a person to start from. It is cropped as the training data are, and stays in the browser's memory.

import { findFace } from "./networks.js";
import { floatsOf, newCanvas } from "./pictures.js";

const NOSE_TIP = 30;
const LARGEST = 2048; // larger photos are made smaller first
const MOST_OF_THE_PHOTO = 4; // side of a crop, relative to the photo's: beyond it is mostly padding

// A person { name, own, landmarks, pixels, floats, points } from an image file; `landmarks` are in the file's pixels, `points` in
// those of the crop. Throws an Error with a sentence for the user.
export async function personFromFile(file, live) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} is not an image that this browser can read.`);
  }
  const scale = LARGEST / Math.max(picture.width, picture.height);
  if (scale < 1) {
    const [resizeWidth, resizeHeight] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
    picture = await createImageBitmap(picture, { resizeWidth, resizeHeight, resizeQuality: "high" });
  }
  return personFrom(picture, file.name, false, live);
}

// The same from an ImageBitmap, which is closed.
export async function personFrom(picture, name, mirrored, live) {
  try {
    const landmarks = await findFace(await createImageBitmap(picture), { mirrored });
    if (!landmarks) throw new Error(`No face was found in ${name}. Take a photo in which one face fills much of the picture.`);
    return { name: "your photo", own: true, landmarks, ...cropFace(picture, mirrored, landmarks, live.crop_scale, live.size) };
  } finally {
    picture.close();
  }
}

// As facegan.data.ingest.crop does: a square around the nose tip, in whole pixels, with the image's edge repeated outside of it.
export function cropFace(picture, mirrored, landmarks, scale, size) {
  const extent = Math.max(...[0, 1].map((axis) => spread(landmarks.map((point) => point[axis]))));
  const side = Math.max(2, rounded(extent * scale));
  if (side > MOST_OF_THE_PHOTO * Math.max(picture.width, picture.height)) throw new Error("The face is too large to be cropped.");
  const [left, top] = landmarks[NOSE_TIP].map((centre) => rounded(centre + 0.5 - side / 2));
  const pixels = shrunk(cutOut(picture, mirrored, left, top, side), size);
  const points = landmarks.map((point) => [left, top].map((start, axis) => ((point[axis] - start + 0.5) * size) / side - 0.5));
  return { pixels, floats: floatsOf(pixels), points };
}

// To a whole number, halves to an even one, as Python does.
function rounded(value) {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

function spread(values) {
  return Math.max(...values) - Math.min(...values);
}

// A square of a picture as a canvas.
function cutOut(picture, mirrored, left, top, side) {
  const canvas = newCanvas(side, side), context = canvas.getContext("2d", { willReadFrequently: true });
  const { width, height } = picture;
  context.translate(-left, -top);
  if (mirrored) context.transform(-1, 0, 0, 1, width, 0);
  context.imageSmoothingEnabled = false;
  // The edge's rows and columns, drawn as wide as the square can need; then the picture.
  const far = side + Math.abs(left) + Math.abs(top) + width + height;
  const across = [[0, 1, -far, far], [0, width, 0, width], [width - 1, 1, width, far]];
  const down = [[0, 1, -far, far], [0, height, 0, height], [height - 1, 1, height, far]];
  for (const [sx, sw, x, w] of across) for (const [sy, sh, y, h] of down) context.drawImage(picture, sx, sy, sw, sh, x, y, w, h);
  return canvas;
}

// A square canvas as an ImageData of another size: each pixel is the mean of those that it covers, or lies between the nearest.
function shrunk(canvas, size) {
  const side = canvas.width;
  if (side < size) {
    const context = newCanvas(size, size).getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0, size, size);
    return context.getImageData(0, 0, size, size);
  }
  const { data } = canvas.getContext("2d").getImageData(0, 0, side, side), result = new ImageData(size, size);
  const covered = Array.from({ length: size }, (_, i) => shares((i * side) / size, ((i + 1) * side) / size, side));
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sums = [0, 0, 0];
      for (const [row, high] of covered[y]) {
        for (const [column, wide] of covered[x]) {
          for (let c = 0; c < 3; c++) sums[c] += high * wide * data[4 * (row * side + column) + c];
        }
      }
      for (let c = 0; c < 3; c++) result.data[4 * (y * size + x) + c] = Math.round(sums[c]);
      result.data[4 * (y * size + x) + 3] = 255;
    }
  }
  return result;
}

// The pixels that a stretch covers, each with its share of the stretch.
function shares(start, end, side) {
  const found = [];
  for (let i = Math.floor(start); i < Math.min(Math.ceil(end), side); i++) {
    found.push([i, (Math.min(end, i + 1) - Math.max(start, i)) / (end - start)]);
  }
  return found;
}

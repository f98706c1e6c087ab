// How a face in the camera moves another person's landmarks.
//
// Landmarks [68][2] are put into the face's own frame: the origin at the nose tip, which the training crops are centred on, x along
// the line of the eyes, and the face's size as the unit. What moves there is added to the person's landmarks in their frame. So
// neither the place nor the size of the head in the picture matters, nor whose face it is; the head's roll is added at the end.

const NOSE_TIP = 30, EYES = [36, 45], BRIDGE = [27, 33];
const LIDS = [[37, 41], [38, 40], [43, 47], [44, 46]]; // upper and lower
const LIPS = [[61, 67], [62, 66], [63, 65]]; // inner, upper and lower
const WIDEST = 2; // an eye opens at most so many times as far as it was at first

// The person's landmarks after the camera's face has moved from `neutral` to `current`.
export function moved(person, neutral, current) {
  const [own, first, now] = [person, neutral, current].map(shapeOf);
  // Turning the head shortens the line of the eyes, nodding the nose: the longer one, relative to the first picture, is the size.
  const grown = Math.max(now.eyes / first.eyes, now.nose / first.nose);
  const [before, after] = [first.enter(neutral, first.eyes), now.enter(current, first.eyes * grown)];
  const points = own.enter(person, own.eyes).map(([x, y], i) => [x + after[i][0] - before[i][0], y + after[i][1] - before[i][1]]);
  for (const pair of LIDS) blink(points, own.enter(person, own.eyes), before, after, pair);
  for (const pair of LIPS) keepOrder(points, pair);
  return own.leave(points, now.angle - first.angle);
}

// An eye opens and closes by shares of its own height, since a narrow one would turn inside out by those of a wide one.
function blink(points, own, before, after, [upper, lower]) {
  const gap = (face) => face[lower][1] - face[upper][1];
  const share = Math.min(Math.max(gap(after) / Math.max(gap(before), 1e-6), 0), WIDEST);
  const middle = (points[upper][1] + points[lower][1]) / 2, half = (share * gap(own)) / 2;
  [points[upper][1], points[lower][1]] = [middle - half, middle + half];
}

function keepOrder(points, [upper, lower]) {
  if (points[upper][1] <= points[lower][1]) return;
  points[upper][1] = points[lower][1] = (points[upper][1] + points[lower][1]) / 2;
}

// The frame of landmarks: lengths of the line of the eyes and of the nose in pixels, its angle, and functions into it and back.
function shapeOf(points) {
  const [right, left] = EYES.map((i) => points[i]);
  const [cos, sin, eyes] = direction(right, left);
  const [x0, y0] = points[NOSE_TIP];
  return {
    eyes,
    nose: direction(...BRIDGE.map((i) => points[i]))[2],
    angle: Math.atan2(sin, cos),
    enter: (face, unit) =>
      face.map(([x, y]) => [(cos * (x - x0) + sin * (y - y0)) / unit, (cos * (y - y0) - sin * (x - x0)) / unit]),
    leave: (face, turn) => {
      const [c, s] = [Math.cos(turn), Math.sin(turn)].map((v) => v * eyes);
      const [across, down] = [cos * c - sin * s, sin * c + cos * s];
      return face.map(([x, y]) => [x0 + across * x - down * y, y0 + down * x + across * y]);
    },
  };
}

function direction([x, y], [x2, y2]) {
  const length = Math.hypot(x2 - x, y2 - y) || 1;
  return [(x2 - x) / length, (y2 - y) / length, length];
}

// Sliders: how far landmarks move for an expression or a pose. Simple geometry relative to the person's own landmarks.
//
// Landmarks are first put into the face's own frame: the origin between the outer eye corners, x along them to the left eye, y
// down the face, and their distance as the unit. Displacements are in this unit.

const RIGHT_EYE = 36, LEFT_EYE = 45;
const HALF_WIDTH = 0.85; // of the cylinder that the head is taken for when it turns
const NOSE_DEPTH = { 27: 0.05, 28: 0.12, 29: 0.2, 30: 0.28, 31: 0.08, 32: 0.13, 33: 0.16, 34: 0.13, 35: 0.08 };
const AXIS = { y: 0.35, z: -0.1 }; // the point about which the head turns and nods, in the face's frame

export const SLIDERS = [
  { name: "smile", low: -1, high: 1 },
  { name: "jaw open", low: 0, high: 1 },
  { name: "brow raise", low: -1, high: 1 },
  { name: "blink", low: 0, high: 1 },
  { name: "yaw", low: -30, high: 30, unit: "°" },
  { name: "pitch", low: -20, high: 20, unit: "°" },
  { name: "roll", low: -25, high: 25, unit: "°" },
];

// [landmarks, x outwards, y down] at 1. Outwards is away from the middle of the face.
const MOVES = {
  smile: [
    [[48, 54, 60, 64], 0.09, -0.08],
    [[49, 53, 59, 55], 0.05, -0.035],
    [[61, 63, 67, 65], 0.03, -0.01],
    [[57, 58, 56, 66], 0, 0.02],
  ],
  "jaw open": [
    [[56, 57, 58, 65, 66, 67], 0, 0.26],
    [[55, 59], 0, 0.18],
    [[48, 54, 60, 64], -0.03, 0.06],
    [[6, 7, 8, 9, 10], 0, 0.24],
    [[5, 11], 0, 0.17],
    [[4, 12], 0, 0.1],
    [[3, 13], 0, 0.04],
  ],
  "brow raise": [
    [[17, 21, 22, 26], 0, -0.09],
    [[18, 19, 20, 23, 24, 25], 0, -0.12],
  ],
};
const LIDS = [[37, 41], [38, 40], [43, 47], [44, 46]]; // upper and lower
const LID_SHARE = 0.85; // of the way that the upper lid takes; the lower one takes the rest

// Landmarks [68][2] in pixels after the sliders' values, by name.
export function expressed(points, values) {
  const frame = frameOf(points);
  const local = points.map((point) => frame.enter(point));
  const moved = local.map((point) => [...point]);
  for (const [name, moves] of Object.entries(MOVES)) {
    for (const [landmarks, outwards, down] of moves) {
      for (const i of landmarks) {
        const side = Math.abs(local[i][0]) < 0.06 ? 0 : Math.sign(local[i][0]);
        moved[i][0] += (values[name] ?? 0) * outwards * side;
        moved[i][1] += (values[name] ?? 0) * down;
      }
    }
  }
  for (const [upper, lower] of LIDS) {
    const closed = values.blink ?? 0;
    const gap = [0, 1].map((axis) => moved[lower][axis] - moved[upper][axis]);
    for (const axis of [0, 1]) {
      moved[upper][axis] += closed * LID_SHARE * gap[axis];
      moved[lower][axis] -= closed * (1 - LID_SHARE) * gap[axis];
    }
  }
  const turned = moved.map((point, i) => turn(point, depthOf(local[i], i), values));
  return turned.map((point) => frame.leave(point));
}

// The face's frame of landmarks [68][2]: functions from pixels into it and back.
function frameOf(points) {
  const [right, left] = [points[RIGHT_EYE], points[LEFT_EYE]];
  const middle = [(right[0] + left[0]) / 2, (right[1] + left[1]) / 2];
  const across = [left[0] - right[0], left[1] - right[1]];
  const unit = Math.hypot(...across) || 1;
  const [cos, sin] = [across[0] / unit, across[1] / unit];
  return {
    enter([x, y]) {
      const [dx, dy] = [(x - middle[0]) / unit, (y - middle[1]) / unit];
      return [cos * dx + sin * dy, cos * dy - sin * dx];
    },
    leave([x, y]) {
      return [middle[0] + unit * (cos * x - sin * y), middle[1] + unit * (sin * x + cos * y)];
    },
  };
}

// How far a landmark is in front of the head's axis.
function depthOf([x], landmark) {
  return Math.sqrt(Math.max(0, HALF_WIDTH ** 2 - x ** 2)) + (NOSE_DEPTH[landmark] ?? 0);
}

// A point of the face's frame after yaw, pitch and roll about the head's axis, seen from far away. Positive: to the right of the
// picture, up, clockwise.
function turn([x, y], depth, values) {
  const [yaw, pitch, roll] = ["yaw", "pitch", "roll"].map((name) => ((values[name] ?? 0) * Math.PI) / 180);
  const z = depth - AXIS.z;
  const down = y - AXIS.y;
  const across = x * Math.cos(yaw) + z * Math.sin(yaw) - shift(yaw, HALF_WIDTH);
  const front = z * Math.cos(yaw) - x * Math.sin(yaw);
  const nodded = down * Math.cos(pitch) - front * Math.sin(pitch) + shift(pitch, HALF_WIDTH);
  return [across * Math.cos(roll) - nodded * Math.sin(roll), across * Math.sin(roll) + nodded * Math.cos(roll) + AXIS.y];
}

// The crop follows a turning head: most of the way that its front moves is taken back.
function shift(angle, depth) {
  return 0.75 * (depth - AXIS.z) * Math.sin(angle);
}

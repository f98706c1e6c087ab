// The 68 landmarks of iBUG among the 468 points of MediaPipe's face mesh.
//
// The numbers are those of MediaPipe's canonical face model (canonical_face_model_uv_visualization.png in its repository), where a
// point lies in the middle of what iBUG's markup (ibug.doc.ic.ac.uk/resources/facial-point-annotations) names. The jaw is taken
// along the mesh's outline, so it is that of the head as it is seen, and less exact than eyes and lips.

// prettier-ignore
const MESH = [
  127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356, // jaw, from the picture's left
  71, 63, 105, 66, 107, 336, 296, 334, 293, 301, // brows
  168, 197, 5, 4, 75, 97, 2, 326, 305, // bridge and base of the nose
  33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, // eyes
  61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, // outer lips
  78, 82, 13, 312, 308, 317, 14, 87, // inner lips
];

// Landmarks [68][2] of the mesh's points, a flat [468 * 2].
export function landmarksOf(mesh) {
  return MESH.map((i) => [mesh[2 * i], mesh[2 * i + 1]]);
}

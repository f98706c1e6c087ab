// The user's own face: the camera, and photos that are chosen, dropped or taken. Nothing of them leaves the page.

import { Camera } from "./camera.js";
import { personFrom, personFromFile } from "./photos.js";

const $ = (id) => document.getElementById(id);

// `wanted()` and `onFace(neutral, current)`: see Camera. `onPerson(person)` is told of a photo. Returns the camera.
export function ownFace(live, wanted, onFace, onPerson) {
  const elements = { start: $("camera"), neutral: $("neutral"), box: $("filmed"), canvas: $("mirror") };
  const camera = new Camera({ ...elements, status: $("camera-state") }, wanted, onFace);
  const take = async (making) => {
    $("photo-state").textContent = "Looking for a face";
    try {
      onPerson(await making);
      $("photo-state").textContent = "";
    } catch (error) {
      $("photo-state").textContent = error.message;
    }
  };
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("file").value = ""; // so that the same file can be chosen again
    if (file) take(personFromFile(file, live));
  });
  $("take").addEventListener("click", () => take(stillOf(camera, live)));
  document.addEventListener("dragover", (event) => event.dataTransfer.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    take(personFromFile(file, live));
  });
  return camera;
}

// The camera's picture as a person. It does what the camera's face does, so its own face is the neutral one.
async function stillOf(camera, live) {
  const person = await personFrom(await createImageBitmap(camera.video), "the camera's picture", true, live);
  camera.setNeutral(person.landmarks);
  return person;
}

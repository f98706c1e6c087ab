// The camera: asked for when the user starts it, shown with the landmarks that are found, and stopped at once.

import { findFace } from "./networks.js";
import { newCanvas } from "./pictures.js";

const REASONS = {
  NotAllowedError: "The camera was not allowed.",
  NotFoundError: "This machine has no camera.",
  NotReadableError: "The camera is in use by another program.",
};

const WANTED = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 20 }, facingMode: "user" };

export class Camera {
  // `elements`: start, neutral, box, canvas, status. `wanted()` resolves when another face is wanted. `onFace(neutral, current)`
  // is told the landmarks [68][2] of the first face and of the last one, in pixels of the mirrored picture; (null, null): no camera.
  constructor(elements, wanted, onFace) {
    Object.assign(this, { ...elements, wanted, onFace, opening: false, stream: null, first: null, current: null });
    // It is not on the page, where a browser would paint all of its pictures, also those that nobody looks for a face in.
    this.video = document.createElement("video");
    this.video.muted = this.video.playsInline = true;
    // A button that is disabled would lose the keyboard.
    this.start.addEventListener("click", () => (this.opening ? null : this.stream ? this.close("") : this.open()));
    this.neutral.addEventListener("click", () => this.setNeutral(this.current));
  }

  get running() {
    return this.stream !== null;
  }

  // From now on, the face with these landmarks leaves the person as it is.
  setNeutral(landmarks) {
    if (this.running) this.first = landmarks;
  }

  async open() {
    this.say("Waiting for the camera");
    this.opening = true;
    try {
      if (!navigator.mediaDevices) throw new Error("Browsers give the camera only to pages of this machine or over https.");
      const stream = await navigator.mediaDevices.getUserMedia({ video: WANTED, audio: false });
      stream.getVideoTracks()[0].addEventListener("ended", () => this.stream === stream && this.close("The camera has stopped."));
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
      this.show();
      this.say("Loading the face networks");
      this.follow(stream).catch((error) => this.close(`The camera's face cannot be followed: ${error.message}`));
    } catch (error) {
      this.close(REASONS[error.name] ?? error.message);
    } finally {
      this.opening = false;
    }
  }

  // Stop the camera; its light goes off.
  close(why) {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.first = this.current = this.video.srcObject = null;
    this.show();
    this.say(why);
    this.onFace(null, null);
  }

  show() {
    this.box.hidden = !this.running;
    this.start.textContent = this.running ? "Stop camera" : "Start camera";
  }

  say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  // Look for the face while the camera is on, one picture at a time, and no faster than faces are drawn.
  async follow(stream) {
    for (;;) {
      await this.wanted();
      await new Promise(requestAnimationFrame); // which comes only while the page is seen
      if (this.stream !== stream) return;
      const picture = await createImageBitmap(this.video), small = this.mirrored(picture);
      const landmarks = await findFace(picture, { mirrored: true, film: true });
      if (this.stream !== stream) return;
      this.paint(small, landmarks ?? []);
      this.say(landmarks ? "" : "No face is seen.");
      if (!landmarks) continue;
      this.current = landmarks;
      this.first ??= landmarks;
      this.onFace(this.first, landmarks);
    }
  }

  // A small copy of a picture, as in a mirror.
  mirrored(picture) {
    const { width } = this.canvas, height = Math.round((width * picture.height) / picture.width);
    const copy = newCanvas(width, height), context = copy.getContext("2d");
    context.setTransform(-1, 0, 0, 1, width, 0);
    context.drawImage(picture, 0, 0, width, height);
    return copy;
  }

  paint(picture, landmarks) {
    const context = this.canvas.getContext("2d"), scale = this.canvas.width / this.video.videoWidth;
    if (this.canvas.height !== picture.height) this.canvas.height = picture.height;
    context.drawImage(picture, 0, 0);
    context.fillStyle = "#6fd3ff";
    for (const [x, y] of landmarks) context.fillRect((x + 0.5) * scale - 1, (y + 0.5) * scale - 1, 2, 2);
  }
}

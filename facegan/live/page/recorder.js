// Films of a few seconds: what the networks draw, beside the source and the camera's landmarks.

import { paintTiles } from "./pictures.js";

const SECONDS = 5, SIDE = 192, BITS_PER_SECOND = 4e6;
const PAUSE = 200; // milliseconds after which a picture is recorded although nothing has moved
const KINDS = ["video/mp4;codecs=avc1.42E01F", "video/webm;codecs=vp8", "video/webm"]; // the first that the browser can write

export class Recorder {
  // `onEnd(film, ending)` is given the film, a Blob, and the ending of its file's name.
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.canvas = null; // while it records
  }

  get running() {
    return this.canvas !== null;
  }

  // Record for five seconds from now. `tiles()`: what to record, see paintTiles; their number stays.
  start(tiles) {
    const kind = globalThis.MediaRecorder && KINDS.find((one) => MediaRecorder.isTypeSupported(one));
    if (!kind) throw new Error("This browser cannot record.");
    const canvas = document.createElement("canvas"), parts = [];
    paintTiles(canvas, tiles(), SIDE);
    const stream = canvas.captureStream();
    const recorder = new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: BITS_PER_SECOND });
    recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
    recorder.addEventListener("stop", () => {
      clearInterval(still);
      for (const track of stream.getTracks()) track.stop();
      this.canvas = null;
      this.onEnd(new Blob(parts, { type: kind }), kind.startsWith("video/mp4") ? "mp4" : "webm");
    });
    recorder.start();
    // From here on, since a browser may have refused to start.
    Object.assign(this, { canvas, tiles });
    const still = setInterval(() => this.paint(), PAUSE);
    setTimeout(() => recorder.stop(), 1000 * SECONDS);
  }

  paint() {
    paintTiles(this.canvas, this.tiles(), SIDE);
  }
}

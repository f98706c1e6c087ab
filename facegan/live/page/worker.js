// Runs the networks of some arms on ONNX Runtime's WebAssembly, one after the other.

import * as ort from "./vendor/ort.wasm.bundle.min.js";

const sessions = new Map(); // by arm
let size = 0;

self.onmessage = async ({ data }) => {
  try {
    if (data.wasm) await load(data);
    else await draw(data);
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
};

async function load({ wasm, networks, side }) {
  size = side;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1; // each worker is a thread; more need headers that a plain web server does not send
  for (const { arm, bytes } of networks) {
    sessions.set(arm, await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
  }
  self.postMessage({ ready: true });
}

async function draw({ image, points }) {
  const inputs = { image: new ort.Tensor("float32", image, [1, 3, size, size]), points: new ort.Tensor("float32", points, [1, 68, 2]) };
  const drawn = [];
  for (const [arm, session] of sessions) drawn.push([arm, (await session.run(inputs)).drawn.data]);
  self.postMessage({ drawn });
}

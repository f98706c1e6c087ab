// The networks, in workers: those of the arms, and those that find faces.

const RUNTIME = "vendor/ort-wasm-simd-threaded.wasm.gz";
const FACE_NETWORKS = ["face/detector.onnx", "face/mesh.onnx"];
const MOST_WORKERS = 4;

// Load the networks of arms; returns `draw(image, points)`, which resolves to each arm's drawing, in order. Both are floats:
// [3 * size * size] in [-1, 1], and [68 * 2] in pixels.
export async function loadNetworks(live) {
  const wasm = await fetchRuntime();
  const count = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1, live.arms.length));
  const pool = await Promise.all(Array.from({ length: count }, (_, i) => startWorker(live, i, count, wasm)));
  return oneByOne(async (image, points) => {
    const answers = await Promise.all(pool.map((worker) => ask(worker, { image, points })));
    const drawn = new Array(live.arms.length);
    for (const [arm, floats] of answers.flatMap((answer) => answer.drawn)) drawn[arm] = floats;
    return drawn;
  });
}

async function startWorker(live, place, count, wasm) {
  const worker = new Worker("worker.js", { type: "module" });
  const arms = live.arms.map((_, i) => i).filter((i) => i % count === place);
  const networks = await Promise.all(arms.map(async (arm) => ({ arm, bytes: new Uint8Array(await fetched(live.arms[arm].network)) })));
  await ask(worker, { wasm, networks, side: live.size });
  return worker;
}

let finder = null; // a promise of the function that finds faces; what it needs is loaded when it is first used

// The landmarks [68][2] of the face in a picture, an ImageBitmap, which is closed; null: there is none. Whole numbers are pixel
// centres. Options: `mirrored`, mirror the picture first; `film`, it follows the last one.
export async function findFace(picture, options) {
  finder ??= loadFinder().catch((error) => {
    finder = null;
    throw error;
  });
  return (await finder)(picture, options);
}

async function loadFinder() {
  const [wasm, ...networks] = await Promise.all([fetchRuntime(), ...FACE_NETWORKS.map(fetched)]);
  const worker = new Worker("face_worker.js", { type: "module" });
  await ask(worker, { wasm, networks: networks.map((bytes) => new Uint8Array(bytes)) });
  return oneByOne(async (picture, { mirrored = false, film = false }) => {
    return (await ask(worker, { picture, mirrored, film }, [picture])).landmarks;
  });
}

// An asynchronous function whose calls wait for each other, since a worker answers one question at a time.
function oneByOne(call) {
  let before = Promise.resolve();
  return (...inputs) => {
    const answer = before.then(() => call(...inputs));
    before = answer.catch(() => {});
    return answer;
  };
}

function ask(worker, message, transferred = []) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message || "a worker could not be started"));
    worker.postMessage(message, transferred);
  });
}

// The runtime is stored compressed. Some web servers say so in a header, and the browser has unpacked it by then.
async function fetchRuntime() {
  const bytes = await fetched(RUNTIME);
  const [first, second] = new Uint8Array(bytes);
  if (first !== 0x1f || second !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function fetched(file) {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: the web server answers ${response.status}`);
  return response.arrayBuffer();
}

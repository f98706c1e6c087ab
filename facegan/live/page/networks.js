// The networks of all arms, in a few workers.

const RUNTIME = "vendor/ort-wasm-simd-threaded.wasm.gz";
const MOST_WORKERS = 4;

// Load the networks of arms; returns `draw(image, points)`, which resolves to each arm's drawing, in order. Both are floats:
// [3 * size * size] in [-1, 1], and [68 * 2] in pixels. One call at a time.
export async function loadNetworks(live) {
  const wasm = await fetchRuntime();
  const count = Math.max(1, Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1, live.arms.length));
  const pool = await Promise.all(Array.from({ length: count }, (_, i) => startWorker(live, i, count, wasm)));
  return async (image, points) => {
    const answers = await Promise.all(pool.map((worker) => ask(worker, { image, points })));
    const drawn = new Array(live.arms.length);
    for (const [arm, floats] of answers.flatMap((answer) => answer.drawn)) drawn[arm] = floats;
    return drawn;
  };
}

async function startWorker(live, place, count, wasm) {
  const worker = new Worker("worker.js", { type: "module" });
  const arms = live.arms.map((_, i) => i).filter((i) => i % count === place);
  const networks = await Promise.all(arms.map(async (arm) => ({ arm, bytes: new Uint8Array(await fetched(live.arms[arm].network)) })));
  await ask(worker, { wasm, networks, side: live.size });
  return worker;
}

function ask(worker, message) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message || "a worker could not be started"));
    worker.postMessage(message);
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

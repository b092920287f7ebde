import { FrameReader, loadModel } from "./reader.js";
// Module worker: frames come in, and what is left of them goes out. `reading.ts` starts it.
const scope = globalThis;
const ready = fetch(new URL("./reader.bin", import.meta.url))
    .then((answer) => {
    if (!answer.ok)
        throw new Error(`The landmark model can't be loaded: ${answer.status}.`);
    return answer.arrayBuffer();
})
    .then(async (packed) => new FrameReader(await loadModel(packed)));
ready.then(() => scope.postMessage({ type: "ready" }), (error) => scope.postMessage({ type: "failed", message: String(error) }));
scope.onmessage = async ({ data: { timeMs, width, height, pixels } }) => {
    const reader = await ready.catch(() => null); // the failure has been reported
    if (!reader)
        return;
    try {
        const start = performance.now();
        const result = reader.read(timeMs, { data: new Uint8ClampedArray(pixels), width, height });
        scope.postMessage({ type: "read", timeMs, width, height, result, workMs: performance.now() - start });
    }
    catch (error) {
        scope.postMessage({ type: "failed", message: String(error) });
    }
};

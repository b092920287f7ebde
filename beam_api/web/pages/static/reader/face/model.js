const COORDINATES = 10;
const CELLS = 100;
const FEATURES = 31;
/** Read a model file: `await loadModel(await (await fetch(url)).arrayBuffer())`. */
export async function loadModel(packed) {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const cursor = new Cursor(await new Response(stream).arrayBuffer());
    const [stages, trees, splitsPerTree, pixels] = cursor.uint32(4);
    const [leafStep] = cursor.float32(1);
    const predictor = {
        stages,
        trees,
        splitsPerTree,
        pixels,
        leafStep,
        mean: cursor.float32(COORDINATES),
        deltas: cursor.float32(stages * pixels * 2),
        splits: new Uint32Array(cursor.planes(stages * trees * splitsPerTree, 4)),
        leaves: new Int16Array(cursor.planes(stages * trees * (splitsPerTree + 1) * COORDINATES, 2)),
        anchors: cursor.bytes(stages * pixels),
    };
    const [count] = cursor.uint32(1);
    const filters = Array.from({ length: count }, () => readFilter(cursor));
    return { predictor, detector: { filters } };
}
/** The file has one feature of all cells after another; here the features of a cell are side by side. */
function readFilter(cursor) {
    const values = cursor.float32(CELLS * FEATURES + 1);
    const weights = new Float32Array(CELLS * FEATURES);
    for (let feature = 0; feature < FEATURES; feature++) {
        for (let cell = 0; cell < CELLS; cell++)
            weights[cell * FEATURES + feature] = values[feature * CELLS + cell];
    }
    return { weights, threshold: values[CELLS * FEATURES] };
}
class Cursor {
    buffer;
    at = 0;
    constructor(buffer) {
        this.buffer = buffer;
    }
    bytes(count) {
        this.at += count;
        return new Uint8Array(this.buffer.slice(this.at - count, this.at));
    }
    uint32(count) {
        return new Uint32Array(this.bytes(count * 4).buffer);
    }
    float32(count) {
        return new Float32Array(this.bytes(count * 4).buffer);
    }
    /** First bytes of all numbers, then the second ones, and so on. */
    planes(count, size) {
        const apart = this.bytes(count * size);
        const together = new Uint8Array(count * size);
        for (let plane = 0; plane < size; plane++) {
            for (let i = 0; i < count; i++)
                together[i * size + plane] = apart[plane * count + i];
        }
        return together.buffer;
    }
}

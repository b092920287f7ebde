import { CELL, FEATURES, hog } from "./hog.js";
const WINDOW = 10; // cells a side
const BEFORE = 4; // cells beyond the edge, so that a face that touches it is seen
const AFTER = 5;
const SMALLEST_LAYER = 64;
const LAYER = 6 / 5; // of the pyramid, to the next one
const LAYER_SHIFT = 0.3; // pixels
const MOST_OVERLAP = 0.33; // of two detections' union
const MOST_COVERED = 0.7886;
/**
 * dlib's frontal face detector: five linear filters over histograms of oriented gradients, on a pyramid.
 *
 * N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, doi:10.1109/CVPR.2005.177.
 */
export class Detector {
    model;
    constructor(model) {
        this.model = model;
    }
    /** The faces whose score is at least `least`, the plainest first. */
    detect(image, least) {
        const found = [];
        let layer = image;
        for (let level = 0;; level++) {
            const features = hog(layer, BEFORE, AFTER);
            for (const filter of this.model.filters)
                scan(features, filter, least, level, found);
            const { width, height } = layer;
            const next = { width: Math.floor((5 * width) / 6), height: Math.floor((5 * height) / 6) };
            if (next.width < SMALLEST_LAYER || next.height < SMALLEST_LAYER)
                break;
            layer = shrink(layer, next.width, next.height);
        }
        return apart(found.sort((a, b) => b.score - a.score));
    }
}
function scan(features, filter, least, level, found) {
    const { width, height } = features;
    for (let y = 0; y + WINDOW <= height; y++) {
        for (let x = 0; x + WINDOW <= width; x++) {
            const score = response(features, filter.weights, x, y) - filter.threshold;
            if (score >= least)
                found.push(boxOf(x, y, level, score));
        }
    }
}
function response(features, weights, x, y) {
    const { data, width } = features;
    const length = WINDOW * FEATURES;
    // Several sums, since each addition to one would wait for the one before it.
    let [a, b, c, d, e] = [0, 0, 0, 0, 0];
    for (let row = 0; row < WINDOW; row++) {
        const shift = ((y + row) * width + x) * FEATURES - row * length;
        for (let i = row * length; i < (row + 1) * length; i += 5) {
            a += data[shift + i] * weights[i];
            b += data[shift + i + 1] * weights[i + 1];
            c += data[shift + i + 2] * weights[i + 2];
            d += data[shift + i + 3] * weights[i + 3];
            e += data[shift + i + 4] * weights[i + 4];
        }
    }
    return a + b + c + d + e;
}
/** The box in the image of the window whose first cell is (x, y). */
function boxOf(x, y, level, score) {
    const pixel = (cell) => {
        let at = (cell - BEFORE + 1) * CELL + 1 + CELL / 2;
        for (let i = 0; i < level; i++)
            at = at * LAYER + LAYER_SHIFT;
        return Math.floor(at + 0.5);
    };
    return { left: pixel(x), top: pixel(y), right: pixel(x + WINDOW - 1), bottom: pixel(y + WINDOW - 1), score };
}
/** The next layer of the pyramid, by interpolation from corner to corner. */
function shrink(image, width, height) {
    const data = new Uint8Array(width * height);
    const across = (image.width - 1) / Math.max(width - 1, 1);
    const down = (image.height - 1) / Math.max(height - 1, 1);
    for (let y = 0; y < height; y++) {
        const top = Math.floor(y * down);
        const bottom = Math.min(top + 1, image.height - 1);
        const low = y * down - top;
        for (let x = 0; x < width; x++) {
            const left = Math.floor(x * across);
            const right = Math.min(left + 1, image.width - 1);
            const far = x * across - left;
            const above = (1 - far) * image.data[top * image.width + left] + far * image.data[top * image.width + right];
            const below = (1 - far) * image.data[bottom * image.width + left] + far * image.data[bottom * image.width + right];
            data[y * width + x] = (1 - low) * above + low * below + 0.5;
        }
    }
    return { data, width, height };
}
/** Of detections that overlap, the plainest one. */
function apart(found) {
    const kept = [];
    for (const one of found)
        if (!kept.some((other) => overlap(one, other)))
            kept.push(one);
    return kept;
}
function overlap(a, b) {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left) + 1;
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) + 1;
    if (wide <= 0 || high <= 0)
        return false;
    const both = wide * high;
    const [areaA, areaB] = [area(a), area(b)];
    return (both / (areaA + areaB - both) > MOST_OVERLAP || both / areaA > MOST_COVERED || both / areaB > MOST_COVERED);
}
function area(box) {
    return (box.right - box.left + 1) * (box.bottom - box.top + 1);
}

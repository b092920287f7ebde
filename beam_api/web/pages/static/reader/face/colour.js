import { CELL, COLUMNS, LAYOUT, LEFT, ROWS, TOP, corners, toImage } from "./regions.js";
// A port of rppg_core/face/colour.py: large faces are averaged in blocks first, so that every pixel counts.
const BLOCKS = [8, 4, 2];
const FINE = 7;
const SAMPLES = [6, 8, 10, 12, 16];
const OUTSIDE_PX = 0.5;
const OUTLINE = [LEFT, -LEFT].flatMap((x) => [TOP, TOP + CELL * ROWS].map((y) => ({ x, y })));
/** Mean colour of each skin region; null for one that reaches beyond the picture. */
export function skinColours(picture, place) {
    const outline = OUTLINE.map((corner) => toImage(place, corner));
    const side = place.pose[2] * CELL;
    const blocks = inBlocks(picture, outline, BLOCKS.find((n) => side >= n * FINE) ?? 1);
    const samples = SAMPLES.find((n) => n >= side / blocks.block) ?? SAMPLES.at(-1);
    const cells = cellMeans(blocks, place, samples);
    return LAYOUT.map((region) => {
        const seen = corners(region).every((corner) => isInside(picture, toImage(place, corner)));
        return seen ? regionMean(cells, region) : null;
    });
}
function regionMean(cells, [row, first, last]) {
    const sum = [0, 0, 0];
    for (let column = first; column <= last; column++) {
        for (let channel = 0; channel < 3; channel++)
            sum[channel] += cells[(row * COLUMNS + column) * 3 + channel];
    }
    return sum.map((value) => value / (last - first + 1));
}
function isInside(picture, { x, y }) {
    return (x >= -OUTSIDE_PX &&
        y >= -OUTSIDE_PX &&
        x <= picture.width - 1 + OUTSIDE_PX &&
        y <= picture.height - 1 + OUTSIDE_PX);
}
/** Mean of each cell's samples, `samples` a side, between the blocks by interpolation. */
function cellMeans(blocks, place, samples) {
    const { data, width, height, block } = blocks;
    const cells = new Float64Array(ROWS * COLUMNS * 3);
    const step = CELL / samples;
    const share = 1 / (samples * samples);
    const first = toImage(place, { x: LEFT + step / 2, y: TOP + step / 2 });
    const firstX = (first.x - blocks.left + 0.5) / block - 0.5;
    const firstY = (first.y - blocks.top + 0.5) / block - 0.5;
    const cos = (place.cos * step) / block;
    const sin = (place.sin * step) / block;
    for (let v = 0; v < ROWS * samples; v++) {
        const row = Math.floor(v / samples) * COLUMNS;
        for (let u = 0; u < COLUMNS * samples; u++) {
            const x = snap(firstX + cos * u - sin * v);
            const y = snap(firstY + sin * u + cos * v);
            const floorX = Math.floor(x);
            const floorY = Math.floor(y);
            const left = clamp(floorX, width);
            const right = clamp(floorX + 1, width);
            const top = clamp(floorY, height) * width;
            const bottom = clamp(floorY + 1, height) * width;
            const far = x - floorX;
            const low = y - floorY;
            const cell = (row + Math.floor(u / samples)) * 3;
            for (let channel = 0; channel < 3; channel++) {
                const above = (1 - far) * data[(top + left) * 3 + channel] + far * data[(top + right) * 3 + channel];
                const below = (1 - far) * data[(bottom + left) * 3 + channel] + far * data[(bottom + right) * 3 + channel];
                cells[cell + channel] += ((1 - low) * above + low * below) * share;
            }
        }
    }
    return cells;
}
/** OpenCV samples at thirty-seconds of a pixel. */
function snap(at) {
    return Math.floor(at * 32 + 0.5) / 32;
}
function clamp(at, size) {
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}
/** The picture around an outline, averaged in blocks whose grid is the picture's own. */
function inBlocks(picture, outline, block) {
    const xs = outline.map(({ x }) => x);
    const ys = outline.map(({ y }) => y);
    const low = (values) => Math.max(Math.floor(Math.min(...values) / block) - 1, 0) * block;
    const high = (values, limit) => Math.min((Math.floor(Math.max(...values) / block) + 2) * block, Math.floor(limit / block) * block);
    const [left, top] = [low(xs), low(ys)];
    const part = { left, top, width: high(xs, picture.width) - left, height: high(ys, picture.height) - top };
    if (part.width < block || part.height < block) {
        const whole = { left: 0, top: 0, width: picture.width, height: picture.height };
        return { ...whole, data: colours(picture, whole), block: 1 };
    }
    let { width, height } = part;
    let data = colours(picture, part);
    for (let n = block; n > 1; n /= 2) {
        data = halved(data, width, height);
        width >>= 1;
        height >>= 1;
    }
    return { data, width, height, left, top, block };
}
function colours(picture, part) {
    const data = new Uint8Array(part.width * part.height * 3);
    for (let y = 0, to = 0; y < part.height; y++) {
        let from = ((part.top + y) * picture.width + part.left) * 4;
        for (let x = 0; x < part.width; x++, from += 4, to += 3) {
            data[to] = picture.data[from];
            data[to + 1] = picture.data[from + 1];
            data[to + 2] = picture.data[from + 2];
        }
    }
    return data;
}
/** Means of 2 x 2, rounded to whole levels. */
function halved(data, width, height) {
    const [halfWidth, halfHeight] = [width >> 1, height >> 1];
    const half = new Uint8Array(halfWidth * halfHeight * 3);
    for (let y = 0, to = 0; y < halfHeight; y++) {
        let from = 2 * y * width * 3;
        const below = width * 3;
        for (let x = 0; x < halfWidth; x++, from += 6) {
            for (let c = from; c < from + 3; c++, to++) {
                half[to] = (data[c] + data[c + 3] + data[c + below] + data[c + below + 3] + 2) >> 2;
            }
        }
    }
    return half;
}

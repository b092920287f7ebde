export const FEATURES = 31;
export const CELL = 8;
const ORIENTATIONS = 9;
const EPSILON = 1e-4;
const TEXTURE = 0.2357;
const CUT = 0.2;
const DIRECTIONS_X = [1.0, 0.9397, 0.766, 0.5, 0.1736, -0.1736, -0.5, -0.766, -0.9397];
const DIRECTIONS_Y = [0.0, 0.342, 0.6428, 0.866, 0.9848, 0.9848, 0.866, 0.6428, 0.342];
/**
 * Histograms of oriented gradients in cells of 8 x 8 pixels, with dlib's constants.
 *
 * P. Felzenszwalb et al., "Object detection with discriminatively trained part based models", IEEE Trans. Pattern Anal.
 * Mach. Intell. 32(9), 2010, doi:10.1109/TPAMI.2009.167.
 */
export function hog(image, before, after) {
    const rows = Math.floor(image.height / CELL + 0.5);
    const columns = Math.floor(image.width / CELL + 0.5);
    const wide = Math.max(columns - 2, 0);
    const high = Math.max(rows - 2, 0);
    const width = wide + before + after;
    const height = high + before + after;
    const data = new Float32Array(width * height * FEATURES);
    const cells = histograms(image, rows, columns);
    const energy = energies(cells, rows, columns);
    for (let y = 0; y < high; y++) {
        for (let x = 0; x < wide; x++) {
            const at = ((y + before) * width + x + before) * FEATURES;
            describe(data, at, cells, ((y + 2) * (columns + 2) + x + 2) * 2 * ORIENTATIONS, norms(energy, x, y, columns));
        }
    }
    return { data, width, height };
}
/** Gradients by orientation, each shared among the four cells around it; one cell more on each side. */
function histograms(image, rows, columns) {
    const { data, width } = image;
    const cells = new Float32Array((rows + 2) * (columns + 2) * 2 * ORIENTATIONS);
    const down = (columns + 2) * 2 * ORIENTATIONS;
    const lastY = Math.min(rows * CELL, image.height) - 1;
    const lastX = Math.min(columns * CELL, width) - 1;
    for (let y = 1; y < lastY; y++) {
        const yp = (y + 0.5) / CELL - 0.5;
        const row = Math.floor(yp);
        const low = yp - row;
        for (let x = 1; x < lastX; x++) {
            const i = y * width + x;
            const gx = data[i + 1] - data[i - 1];
            const gy = data[i + width] - data[i - width];
            if (gx === 0 && gy === 0)
                continue;
            const length = Math.sqrt(gx * gx + gy * gy);
            const xp = (x + 0.5) / CELL - 0.5;
            const column = Math.floor(xp);
            const right = xp - column;
            const cell = (row + 1) * down + (column + 1) * 2 * ORIENTATIONS + orientation(gx, gy);
            cells[cell] += (1 - low) * (1 - right) * length;
            cells[cell + down] += low * (1 - right) * length;
            cells[cell + 2 * ORIENTATIONS] += (1 - low) * right * length;
            cells[cell + down + 2 * ORIENTATIONS] += low * right * length;
        }
    }
    return cells;
}
function orientation(gx, gy) {
    let best = 0;
    let found = 0;
    for (let o = 0; o < ORIENTATIONS; o++) {
        const dot = DIRECTIONS_X[o] * gx + DIRECTIONS_Y[o] * gy;
        if (dot > best) {
            best = dot;
            found = o;
        }
        else if (-dot > best) {
            best = -dot;
            found = o + ORIENTATIONS;
        }
    }
    return found;
}
function energies(cells, rows, columns) {
    const energy = new Float32Array(rows * columns);
    for (let y = 0; y < rows; y++) {
        for (let x = 0; x < columns; x++) {
            const at = ((y + 1) * (columns + 2) + x + 1) * 2 * ORIENTATIONS;
            let sum = 0;
            for (let o = at; o < at + ORIENTATIONS; o++)
                sum += (cells[o] + cells[o + ORIENTATIONS]) ** 2;
            energy[y * columns + x] = sum;
        }
    }
    return energy;
}
/** The energies of the four blocks of 2 x 2 cells that a cell is in. */
function norms(energy, x, y, columns) {
    const block = (row, column) => {
        const i = row * columns + column;
        return Math.sqrt(energy[i] + energy[i + 1] + energy[i + columns] + energy[i + columns + 1] + EPSILON);
    };
    return [block(y + 1, x + 1), block(y, x + 1), block(y + 1, x), block(y, x)];
}
/** 18 signed orientations, 9 unsigned ones, and the texture in each of the four blocks. */
function describe(out, to, cells, at, blocks) {
    for (let b = 0; b < 4; b++) {
        const norm = blocks[b];
        let texture = 0;
        for (let o = 0; o < 2 * ORIENTATIONS; o++) {
            const share = Math.min(cells[at + o] / norm, CUT);
            out[to + o] += 0.5 * share;
            texture += share;
        }
        for (let o = 0; o < ORIENTATIONS; o++) {
            out[to + 2 * ORIENTATIONS + o] += 0.5 * Math.min((cells[at + o] + cells[at + o + ORIENTATIONS]) / norm, CUT);
        }
        out[to + 3 * ORIENTATIONS + b] = TEXTURE * texture;
    }
}

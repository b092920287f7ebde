// The constants of GET /reader.json; test/vectors.test.mjs compares them. The canonical face has its origin between the
// eyes, the distance of the eyes' centres as its unit, x to the image's right and y down.
/** Outer and inner corner of the eye on the image's right, the same on its left, base of the nose. */
export const TEMPLATE = [
    { x: 0.71, y: 0.003 },
    { x: 0.289, y: 0.03 },
    { x: -0.71, y: 0.003 },
    { x: -0.289, y: 0.03 },
    { x: 0, y: 0.82 },
];
export const CELL = 0.25;
export const COLUMNS = 7;
export const ROWS = 12;
export const LEFT = (-CELL * COLUMNS) / 2;
export const TOP = -1.125;
/** Row, first and last column of each region. */
export const LAYOUT = [
    ...[0, 1, 2].flatMap((row) => [[row, 1, 2], [row, 3, 3], [row, 4, 5]]),
    [3, 3, 3], [5, 3, 3], [6, 3, 3],
    [5, 0, 1], [5, 2, 2], [5, 4, 4], [5, 5, 6],
    ...[0, 1, 2, 4, 5, 6].map((column) => [6, column, column]),
    ...[0, 1, 5, 6].map((column) => [7, column, column]),
    [8, 0, 1], [8, 5, 6], [10, 2, 4], [11, 2, 4],
];
/** The corners of a region in the canonical face. */
export function corners([row, first, last]) {
    const [left, right] = [LEFT + CELL * first, LEFT + CELL * (last + 1)];
    const [top, bottom] = [TOP + CELL * row, TOP + CELL * (row + 1)];
    return [{ x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom }];
}
export function toImage(place, { x, y }) {
    return { x: place.cos * x - place.sin * y + place.x, y: place.sin * x + place.cos * y + place.y };
}
const CENTRE = { x: average(TEMPLATE.map(({ x }) => x)), y: average(TEMPLATE.map(({ y }) => y)) };
const FROM_CENTRE = TEMPLATE.map(({ x, y }) => ({ x: x - CENTRE.x, y: y - CENTRE.y }));
const SPREAD = FROM_CENTRE.reduce((sum, { x, y }) => sum + x * x + y * y, 0);
/**
 * Fit the canonical face to five landmarks by least squares.
 *
 * S. Umeyama, IEEE Trans. Pattern Anal. Mach. Intell. 13(4), 1991, doi:10.1109/34.88573.
 */
export function fit(landmarks) {
    const centreX = average(landmarks.map(({ x }) => x));
    const centreY = average(landmarks.map(({ y }) => y));
    let cos = 0;
    let sin = 0;
    landmarks.forEach(({ x, y }, i) => {
        const from = FROM_CENTRE[i];
        cos += from.x * (x - centreX) + from.y * (y - centreY);
        sin += from.x * (y - centreY) - from.y * (x - centreX);
    });
    cos /= SPREAD;
    sin /= SPREAD;
    const x = centreX - (cos * CENTRE.x - sin * CENTRE.y);
    const y = centreY - (sin * CENTRE.x + cos * CENTRE.y);
    const pose = [x - 0.4 * sin, y + 0.4 * cos, Math.hypot(cos, sin), Math.atan2(sin, cos), yaw(landmarks)];
    return { cos, sin, x, y, pose };
}
/** The nose's sideways offset from between the eyes, along their line, in its lengths. */
function yaw(landmarks) {
    const [a, b, c, d, nose] = landmarks;
    const alongX = (a.x + b.x - c.x - d.x) / 2;
    const alongY = (a.y + b.y - c.y - d.y) / 2;
    const apart = alongX * alongX + alongY * alongY;
    if (apart <= 0)
        return 0;
    const offX = nose.x - (a.x + b.x + c.x + d.x) / 4;
    const offY = nose.y - (a.y + b.y + c.y + d.y) / 4;
    return (offX * alongX + offY * alongY) / apart;
}
function average(values) {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
}

import { roundEven } from "./image.js";
export const FACE = { middle: [0, 0.45], half: [1, 1], mostPx: [80, 80] };
/** Left of the head, right of it, above it, below it. */
export const CONTROLS = [
    { middle: [-2.25, 0], half: [0.5, 1.2], mostPx: [32, 80] },
    { middle: [2.25, 0], half: [0.5, 1.2], mostPx: [32, 80] },
    { middle: [0, -1.75], half: [0.9, 0.3], mostPx: [32, 32] },
    { middle: [-1.6, 2.6], half: [0.5, 0.4], mostPx: [32, 32] },
];
export const CENTRE_PX = [48, 48];
export const LEAST_PX = 6;
export const FLOOR = 0.05;
export function witness(picture, place) {
    const size = place.pose[2];
    const boxed = ({ middle: [u, v], half: [halfU, halfV], mostPx }) => cut(picture, { x: place.x + u * size, y: place.y + v * size }, [2 * halfU * size, 2 * halfV * size], mostPx);
    const controls = CONTROLS.map(boxed);
    const middle = { x: picture.width / 2, y: picture.height / 2 };
    const centre = cut(picture, middle, [picture.width, picture.height], CENTRE_PX);
    const [centreDetail] = detail(picture, [centre]);
    return {
        controls: controls.map((part) => part && mean(picture, part)),
        detail: [
            ...detail(picture, [boxed(FACE)]),
            ...detail(picture, controls.slice(0, 2)),
            centreDetail,
            centre && average(mean(picture, centre)),
        ],
    };
}
/** What a box has in the picture, by whole pixels; null if that is too little. */
function cut(picture, middle, sides, most) {
    const wide = Math.min(roundEven(sides[0]), most[0]);
    const high = Math.min(roundEven(sides[1]), most[1]);
    const x = roundEven(middle.x - wide / 2);
    const y = roundEven(middle.y - high / 2);
    const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
    const width = Math.min(x + wide, picture.width) - left;
    const height = Math.min(y + high, picture.height) - top;
    return width < LEAST_PX || height < LEAST_PX ? null : { left, top, width, height };
}
function mean(picture, part) {
    const sum = [0, 0, 0];
    for (let y = 0; y < part.height; y++) {
        let i = ((part.top + y) * picture.width + part.left) * 4;
        for (let x = 0; x < part.width; x++, i += 4) {
            for (let channel = 0; channel < 3; channel++)
                sum[channel] += picture.data[i + channel];
        }
    }
    return sum.map((value) => value / (part.width * part.height));
}
function average(colour) {
    return (colour[0] + colour[1] + colour[2]) / 3;
}
/** Detail and edges over some parts: how each value differs from the mean of those above and below it. */
function detail(picture, parts) {
    let [count, size, power, light] = [0, 0, 0, 0];
    for (const part of parts) {
        if (!part)
            continue;
        const values = (part.height - 2) * part.width * 3;
        const sums = differences(picture, part);
        count += values;
        size += sums.size;
        power += sums.power;
        light += average(mean(picture, part)) * values;
    }
    if (!count)
        return [null, null];
    const level = light / count + 1;
    return [Math.log((size / count + FLOOR) / level), Math.log((Math.sqrt(power / count) + FLOOR) / level)];
}
function differences(picture, part) {
    const { data, width } = picture;
    let [size, power] = [0, 0];
    for (let y = 1; y < part.height - 1; y++) {
        const first = ((part.top + y) * width + part.left) * 4;
        for (let i = first; i < first + part.width * 4; i++) {
            if (i % 4 === 3)
                continue;
            const difference = data[i] - roundEven((data[i - width * 4] + data[i + width * 4]) / 2);
            size += Math.abs(difference);
            power += difference * difference;
        }
    }
    return { size, power };
}

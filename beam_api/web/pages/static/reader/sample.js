import { skinColours } from "./face/colour.js";
import { fit } from "./face/regions.js";
import { witness } from "./face/witness.js";
export const SAMPLE_VERSION = 1;
export const STEPS = 256;
export const MISSING = 0xffff;
const MOST_LEVEL = 255;
/**
 * Colours are sent in eighths of a level. Finer digits are noise of the camera, and most of a request: a region's colour
 * differs by a sixth of a level and more from one frame to the next. So do digits of the other numbers beyond these.
 */
export const SENT_STEP = STEPS / 8;
const TIME_DIGITS = 1;
const POSE_DIGITS = [1, 1, 1, 3, 3];
const DETAIL_DIGITS = 2;
const DETAIL_RANGE = [-10, 6];
/** Reduce a picture to the colours around five landmarks; null if no skin region lies in it. */
export function readColours(picture, landmarks) {
    const place = fit(landmarks);
    const skin = skinColours(picture, place);
    if (skin.every((colour) => colour === null))
        return null;
    const { controls, detail } = witness(picture, place);
    return { pose: place.pose, colours: [...skin, ...controls], detail };
}
/** Write a sample. `timeMs` is the capture time; `landmarks` are in pixels of the frame. */
export function writeSample(timeMs, reading) {
    return {
        timestamp_ms: rounded(timeMs, TIME_DIGITS),
        pose: reading.pose.map((value, i) => rounded(value, POSE_DIGITS[i])),
        colours: encode(reading.colours, SENT_STEP),
        detail: reading.detail.map((value, i) => value && rounded(i < 5 ? within(value, ...DETAIL_RANGE) : value, DETAIL_DIGITS)),
    };
}
/** Landmarks as fractions of the frame, for the `face` of an answer. */
export function fractions(landmarks, width, height) {
    return landmarks.map(({ x, y }) => [rounded(within(x / width, -1, 2), 4), rounded(within(y / height, -1, 2), 4)]);
}
/** Base64 of little-endian 16-bit numbers in 1/256 of a level, each a multiple of `step`. */
export function encode(colours, step = 1) {
    const bytes = new DataView(new ArrayBuffer(colours.length * 6));
    colours.forEach((colour, region) => {
        for (let channel = 0; channel < 3; channel++) {
            const level = colour ? within(step * Math.round((colour[channel] * STEPS) / step), 0, MOST_LEVEL * STEPS) : MISSING;
            bytes.setUint16(region * 6 + channel * 2, level, true);
        }
    });
    return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
}
function rounded(value, digits) {
    return Number(value.toFixed(digits));
}
function within(value, low, high) {
    return Math.min(Math.max(value, low), high);
}

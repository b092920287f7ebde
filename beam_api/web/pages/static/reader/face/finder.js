import { Detector } from "./detector.js";
import { greyImage, greyView } from "./grey.js";
import { partAround, roundEven } from "./image.js";
import { Predictor } from "./predictor.js";
/** Smallest face that is measured: the side of its box in pixels. */
export const MIN_FACE_PX = 60;
// The same numbers as in rppg_core/face/faces.py, where each is explained.
const SEARCH_SIDES = { quick: [320], thorough: [320, 640] };
const SEARCH_SCORE = 0;
const CROP_FACE_PX = 84;
const CROP_MARGIN = 0.2;
const LAST_PLACE_MARGIN = 0.8;
const VERIFY_SCORE = -0.15;
const REFINEMENTS = 2;
const PREDICT_PX = 320;
const PREDICT_MARGIN = 0.1;
const USUAL = { right: 0, down: 0.32, side: 2.08 };
const OWN_SHARE = 0.5;
const OWN_LIMIT = 0.25;
/** Finds, follows and verifies one face: a port of `rppg_core.face.faces`. */
export class FaceFinder {
    detector;
    predictor;
    constructor(model) {
        this.detector = new Detector(model.detector);
        this.predictor = new Predictor(model.predictor);
    }
    /** The largest face of the picture; "small" if it is too small, null if there is none. */
    find(picture, search) {
        const whole = { left: 0, top: 0, width: picture.width, height: picture.height };
        for (const wanted of SEARCH_SIDES[search]) {
            const seen = this.detect(picture, whole, wanted / Math.max(picture.width, picture.height), SEARCH_SCORE);
            if (!seen.length)
                continue;
            const largest = seen.reduce((best, one) => (one.side > best.side ? one : best));
            return largest.side < MIN_FACE_PX ? "small" : this.settle(picture, largest, null);
        }
        return null;
    }
    /** A face around its last place. */
    findNear(picture, near) {
        const seen = this.detectNear(picture, near, LAST_PLACE_MARGIN, SEARCH_SCORE);
        return seen && seen.side >= MIN_FACE_PX ? this.settle(picture, seen, near.rule) : null;
    }
    /** Landmarks from the last place, which says nothing about whether a face is there; null outside the picture. */
    follow(picture, last) {
        return this.align(picture, last, last.rule);
    }
    /** Whether the detector, too, sees a face there, of about that size. */
    verify(picture, face) {
        const seen = this.detectNear(picture, face, CROP_MARGIN, VERIFY_SCORE);
        if (!seen)
            return false;
        const size = seen.side / face.side;
        return distance(seen.centre, face.centre) <= 0.3 * face.side && size >= 0.6 && size <= 1.6;
    }
    detectNear(picture, near, margin, score) {
        const part = partAround(picture, near.centre, near.side * (0.5 + margin));
        if (!part)
            return null;
        const seen = this.detect(picture, part, CROP_FACE_PX / near.side, score);
        const off = (one) => distance(one.centre, near.centre);
        return seen.length ? seen.reduce((best, one) => (off(one) < off(best) ? one : best)) : null;
    }
    detect(picture, part, scale, score) {
        const boxes = this.detector.detect(greyImage(greyView(picture, part, scale)), score);
        return boxes.map(({ left, top, right, bottom }) => ({
            centre: { x: part.left + (left + right) / 2 / scale, y: part.top + (top + bottom) / 2 / scale },
            side: (right - left + 1) / scale,
        }));
    }
    /** Repeat until the box is the one that following would use. */
    settle(picture, seen, known) {
        const points = known ? null : this.predict(picture, seen);
        if (!known && !points)
            return null;
        const rule = known ?? ownRule(points, seen);
        let face = this.align(picture, seen, rule);
        for (let i = 0; face && i < REFINEMENTS; i++)
            face = this.align(picture, face, rule);
        return face;
    }
    align(picture, box, rule) {
        const landmarks = this.predict(picture, box);
        if (!landmarks)
            return null;
        const { centre, size } = extent(landmarks);
        return {
            landmarks,
            centre: { x: centre.x + rule.right * size, y: centre.y + rule.down * size },
            side: rule.side * size,
            rule,
        };
    }
    predict(picture, { centre, side }) {
        const part = partAround(picture, centre, side * (0.5 + PREDICT_MARGIN));
        if (!part)
            return null;
        const view = greyView(picture, part, PREDICT_PX / side);
        const across = view.width / part.width;
        const down = view.height / part.height;
        const x = roundEven((centre.x - part.left + 0.5) * across - 0.5 - PREDICT_PX / 2);
        const y = roundEven((centre.y - part.top + 0.5) * down - 0.5 - PREDICT_PX / 2);
        const shape = this.predictor.predict(view, x, y, PREDICT_PX);
        const points = [];
        for (let i = 0; i < shape.length; i += 2) {
            points.push({
                x: (shape[i] + 0.5) / across - 0.5 + part.left,
                y: (shape[i + 1] + 0.5) / down - 0.5 + part.top,
            });
        }
        return points;
    }
}
function ownRule(points, seen) {
    const { centre, size } = extent(points);
    const between = (usual, own) => usual + OWN_SHARE * Math.min(Math.max(own - usual, -OWN_LIMIT), OWN_LIMIT);
    return {
        right: between(USUAL.right, (seen.centre.x - centre.x) / size),
        down: between(USUAL.down, (seen.centre.y - centre.y) / size),
        side: between(USUAL.side, seen.side / size),
    };
}
/** Centroid, and the mean of width and height. */
function extent(points) {
    const xs = points.map(({ x }) => x);
    const ys = points.map(({ y }) => y);
    const size = (Math.max(...xs) - Math.min(...xs) + Math.max(...ys) - Math.min(...ys)) / 2;
    return { centre: { x: mean(xs), y: mean(ys) }, size: Math.max(size, 1) };
}
function mean(values) {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
}
function distance(a, b) {
    return Math.hypot(a.x - b.x, a.y - b.y);
}

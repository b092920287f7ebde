import { FaceFinder } from "./face/finder.js";
import { readColours } from "./sample.js";
export { loadModel } from "./face/model.js";
export { FaceFinder } from "./face/finder.js";
export { encode, fractions, readColours, writeSample } from "./sample.js";
const FOLLOW_MS = 200; // a face is followed over at most this gap
const NEAR_MS = 5000; // up to this gap the search begins at the last place
const VERIFY_MS = 900; // so that every second of samples ends with a check
const SEARCH_MS = 2000; // between two thorough searches
const COLOUR_JUMP = 0.12;
const GREY_SPREAD = 0.75; // levels between channels
const SKIN_REGIONS = 30;
/**
 * Reads the frames of one person, in the order of their times. Landmarks look like a face on a wall, too, so readings are
 * held back until the detector has seen a face there; if it sees none, they are dropped.
 */
export class FrameReader {
    finder;
    face = null;
    size = "";
    following = false;
    seenMs = -Infinity;
    verifiedMs = -Infinity;
    searchedMs = -Infinity;
    green = null;
    held = [];
    constructor(model) {
        this.finder = new FaceFinder(model);
    }
    read(timeMs, picture) {
        const size = `${picture.width}x${picture.height}`;
        if (size !== this.size)
            this.forget();
        this.size = size;
        const gap = timeMs - this.seenMs;
        let verified = false;
        let face = null;
        if (this.face && this.following && gap >= 0 && gap <= FOLLOW_MS) {
            face = this.finder.follow(picture, this.face);
        }
        else {
            this.held = [];
            face = this.search(timeMs, picture, gap);
            verified = true;
        }
        if (!face || face === "small")
            return this.lost(face ? "FACE_TOO_SMALL" : "NO_FACE");
        const reading = readColours(picture, face.landmarks);
        if (!reading)
            return this.lost("FACE_OFF_CENTRE");
        const due = timeMs - this.verifiedMs >= VERIFY_MS || isGrey(reading) || this.jumps(reading);
        if (!verified && due) {
            if (!this.finder.verify(picture, face))
                return this.lost("NO_FACE");
            verified = true;
        }
        if (isGrey(reading))
            return this.lost("GREY");
        return this.accept({ timeMs, reading, landmarks: face.landmarks }, face, verified);
    }
    /** Begin anew, as with another person. */
    forget() {
        this.face = null;
        this.following = false;
        this.green = null;
        this.held = [];
        this.seenMs = this.verifiedMs = this.searchedMs = -Infinity;
    }
    accept(seen, face, verified) {
        this.face = face;
        this.following = true;
        this.seenMs = seen.timeMs;
        this.green = greens(seen.reading);
        this.held.push(seen);
        if (!verified)
            return { status: "face", landmarks: seen.landmarks, confirmed: [] };
        this.verifiedMs = seen.timeMs;
        const confirmed = this.held;
        this.held = [];
        return { status: "face", landmarks: seen.landmarks, confirmed };
    }
    /** The last place stays known: the search begins there. */
    lost(status) {
        this.held = [];
        this.green = null;
        this.following = false;
        return { status, landmarks: null, confirmed: [] };
    }
    search(timeMs, picture, gap) {
        const near = this.face && Math.abs(gap) <= NEAR_MS ? this.finder.findNear(picture, this.face) : null;
        if (near)
            return near;
        const thorough = Math.abs(timeMs - this.searchedMs) >= SEARCH_MS;
        if (thorough)
            this.searchedMs = timeMs;
        return this.finder.find(picture, thorough ? "thorough" : "quick");
    }
    /** Whether the colours changed more than light does. */
    jumps(reading) {
        if (!this.green)
            return true;
        const before = this.green;
        const changes = greens(reading).flatMap((level, i) => {
            const last = before[i];
            return level === null || last === null || last === undefined ? [] : [Math.abs((level + 1) / (last + 1) - 1)];
        });
        changes.sort((a, b) => a - b);
        return !changes.length || changes[changes.length >> 1] > COLOUR_JUMP;
    }
}
function greens(reading) {
    return reading.colours.slice(0, SKIN_REGIONS).map((colour) => colour && colour[1]);
}
function isGrey(reading) {
    return !reading.colours
        .slice(0, SKIN_REGIONS)
        .some((colour) => colour && (Math.abs(colour[0] - colour[1]) >= GREY_SPREAD || Math.abs(colour[1] - colour[2]) >= GREY_SPREAD));
}

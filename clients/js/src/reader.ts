import { FaceFinder, type Face } from "./face/finder.js";
import type { Picture, Point } from "./face/image.js";
import type { Model } from "./face/model.js";
import { readColours, type Reading } from "./sample.js";

export { loadModel, type Model } from "./face/model.js";
export { FaceFinder, type Face } from "./face/finder.js";
export type { Picture, Point } from "./face/image.js";
export { encode, fractions, readColours, writeSample, type Reading, type Sample } from "./sample.js";

/** A frame that was read, with its capture time. */
export interface TimedReading {
  readonly timeMs: number;
  readonly reading: Reading;
  /** In pixels of the frame. */
  readonly landmarks: readonly Point[];
}

export type FaceStatus = "face" | "NO_FACE" | "FACE_TOO_SMALL" | "FACE_OFF_CENTRE" | "GREY";

export interface FrameResult {
  readonly status: FaceStatus;
  /** Where the face is in this frame; null without one. */
  readonly landmarks: readonly Point[] | null;
  /** Readings since the last check, once the detector has confirmed the face. */
  readonly confirmed: readonly TimedReading[];
}

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
  private readonly finder: FaceFinder;
  private face: Face | null = null;
  private size = "";
  private following = false;
  private seenMs = -Infinity;
  private verifiedMs = -Infinity;
  private searchedMs = -Infinity;
  private green: readonly (number | null)[] | null = null;
  private held: TimedReading[] = [];

  constructor(model: Model) {
    this.finder = new FaceFinder(model);
  }

  read(timeMs: number, picture: Picture): FrameResult {
    const size = `${picture.width}x${picture.height}`;
    if (size !== this.size) this.forget();
    this.size = size;
    const gap = timeMs - this.seenMs;
    let verified = false;
    let face: Face | "small" | null = null;
    if (this.face && this.following && gap >= 0 && gap <= FOLLOW_MS) {
      face = this.finder.follow(picture, this.face);
    } else {
      this.held = [];
      face = this.search(timeMs, picture, gap);
      verified = true;
    }
    if (!face || face === "small") return this.lost(face ? "FACE_TOO_SMALL" : "NO_FACE");
    const reading = readColours(picture, face.landmarks);
    if (!reading) return this.lost("FACE_OFF_CENTRE");
    const due = timeMs - this.verifiedMs >= VERIFY_MS || isGrey(reading) || this.jumps(reading);
    if (!verified && due) {
      if (!this.finder.verify(picture, face)) return this.lost("NO_FACE");
      verified = true;
    }
    if (isGrey(reading)) return this.lost("GREY");
    return this.accept({ timeMs, reading, landmarks: face.landmarks }, face, verified);
  }

  /** Begin anew, as with another person. */
  forget(): void {
    this.face = null;
    this.following = false;
    this.green = null;
    this.held = [];
    this.seenMs = this.verifiedMs = this.searchedMs = -Infinity;
  }

  private accept(seen: TimedReading, face: Face, verified: boolean): FrameResult {
    this.face = face;
    this.following = true;
    this.seenMs = seen.timeMs;
    this.green = greens(seen.reading);
    this.held.push(seen);
    if (!verified) return { status: "face", landmarks: seen.landmarks, confirmed: [] };
    this.verifiedMs = seen.timeMs;
    const confirmed = this.held;
    this.held = [];
    return { status: "face", landmarks: seen.landmarks, confirmed };
  }

  /** The last place stays known: the search begins there. */
  private lost(status: FaceStatus): FrameResult {
    this.held = [];
    this.green = null;
    this.following = false;
    return { status, landmarks: null, confirmed: [] };
  }

  private search(timeMs: number, picture: Picture, gap: number): Face | "small" | null {
    const near = this.face && Math.abs(gap) <= NEAR_MS ? this.finder.findNear(picture, this.face) : null;
    if (near) return near;
    const thorough = Math.abs(timeMs - this.searchedMs) >= SEARCH_MS;
    if (thorough) this.searchedMs = timeMs;
    return this.finder.find(picture, thorough ? "thorough" : "quick");
  }

  /** Whether the colours changed more than light does. */
  private jumps(reading: Reading): boolean {
    if (!this.green) return true;
    const before = this.green;
    const changes = greens(reading).flatMap((level, i) => {
      const last = before[i];
      return level === null || last === null || last === undefined ? [] : [Math.abs((level + 1) / (last + 1) - 1)];
    });
    changes.sort((a, b) => a - b);
    return !changes.length || changes[changes.length >> 1]! > COLOUR_JUMP;
  }
}

function greens(reading: Reading): (number | null)[] {
  return reading.colours.slice(0, SKIN_REGIONS).map((colour) => colour && colour[1]);
}

function isGrey(reading: Reading): boolean {
  return !reading.colours
    .slice(0, SKIN_REGIONS)
    .some((colour) => colour && (Math.abs(colour[0] - colour[1]) >= GREY_SPREAD || Math.abs(colour[1] - colour[2]) >= GREY_SPREAD));
}

// Colours to the API: the package beam-rppg reads the face in a worker of this page, and no image leaves the browser.

import { waiting } from "./words.js";

const MOST_FRAMES_A_SECOND = 30;

const reader = () => import("/static/reader/index.js");

/** What this browser lacks for reading faces; null if nothing. */
export const missing = async () => (await reader()).missingFeature();

export class ColourSender {
  /**
   * @param {HTMLVideoElement | object} source  a playing video, or a FrameSource
   * @param {object} what  key, session, seconds, stride (s, 0 for a single measurement)
   * @param {object} on    answer(data), result(data), busy(text), called as things happen
   */
  constructor(source, { key, session, seconds, stride }, on) {
    Object.assign(this, { source, key, session, seconds, stride, on });
    this.abort = new AbortController();
  }

  stop() {
    this.abort.abort();
  }

  /** Read and send until the window is full, or stopped; the last measurement. Throws BeamError or an AbortError. */
  async run() {
    const { measure } = await reader();
    return measure(this.source, {
      token: this.key,
      sessionId: this.session,
      durationMs: 1000 * this.seconds,
      ...(this.stride && { strideMs: 1000 * this.stride }),
      maxRate: MOST_FRAMES_A_SECOND,
      includeRaw: true,
      signal: this.abort.signal,
      onProgress: (data) => this.on.answer(data),
      onPartial: () => {}, // asks for the running rate, which is in each answer
      onMeasurement: (data) => this.on.result(data),
      // With an answer its guidance comes, too; without one this is what the reader itself has seen.
      onGuidance: (guidance) => guidance.length && this.on.guidance(guidance),
      onWait: (wait) => this.on.busy(waiting(wait)),
    });
  }
}

// Frames to the API: a second of them per request, or one at the pace that the service asks for.
//
// A request that was not answered is sent again as it was, which changes nothing if it had arrived. Frames that come
// meanwhile wait; after ten seconds of them the oldest are let go, and the service begins a new window by itself.

import { call, Failure } from "../api.js";
import { waiting } from "./words.js";

const BATCH_MS = 1000;
const MOST_FRAMES = 60;
const MOST_WAITING_MS = 10000;
const SINGLE_MS = 600; // where the service names no pace
const ATTEMPTS = 5; // after an answer that is a fault of the service
const SLOW_QUEUE_MS = 2500;
const TIMEOUT_MS = 15000; // a second of frames takes that long on the slowest line that can carry them at all

export class Sender {
  /**
   * @param {object} what key, session, seconds, single, stride (s, 0 for a single measurement)
   * @param {object} on   answer(data), result(data), guidance(codes), busy(text), slow(), each called as things happen
   */
  constructor({ key, session, seconds, single, stride }, on) {
    Object.assign(this, { key, session, seconds, single, stride, on, queue: [], ended: false, last: null });
    this.abort = new AbortController();
    this.wake = () => {};
  }

  push(frame) {
    if (this.abort.signal.aborted) return;
    this.queue.push(frame);
    while (frame.at - this.queue[0].at > MOST_WAITING_MS) this.queue.shift();
    this.wake();
  }

  /** No frames come after those that have been pushed. */
  end() {
    this.ended = true;
    this.wake();
  }

  stop() {
    this.abort.abort();
    this.wake();
  }

  /** Send until the window is full, or without end if it slides; the last measurement. Throws Failure, or an AbortError when stopped. */
  async run() {
    let due = 0;
    for (;;) {
      const frames = await this.collect(due);
      if (!frames.length) {
        if (this.last) return this.last;
        throw new Failure(0, "ENDED", "The frames ended before the window was full.");
      }
      const data = await this.post(frames);
      if (data?.status === "complete") {
        if (!this.stride) return data;
        this.last = data;
        for (const result of [...(data.results ?? []), data]) this.on.result(result);
      } else if (data) this.on.answer(data);
      const asked = data?.next_frame_in_ms;
      due = performance.now() + (asked > 0 ? asked : SINGLE_MS);
    }
  }

  async collect(due) {
    for (;;) {
      this.abort.signal.throwIfAborted();
      if (this.single && this.queue.length && performance.now() >= due) {
        return this.queue.splice(0).slice(-1);
      }
      const [first, last] = [this.queue[0]?.at, this.queue.at(-1)?.at];
      if (!this.single && last - first >= 0.93 * BATCH_MS) {
        this.queue.sort((a, b) => a.at - b.at);
        if (last - first > SLOW_QUEUE_MS) this.on.slow();
        return this.queue.splice(0, MOST_FRAMES);
      }
      if (this.ended) return this.queue.splice(0, MOST_FRAMES);
      await this.sleep(this.single && this.queue.length ? due - performance.now() : 1000);
    }
  }

  async post(frames) {
    let faults = 0;
    for (let attempt = 0; ; attempt += 1) {
      const form = new FormData();
      form.append("session_id", this.session);
      form.append("duration_ms", String(1000 * this.seconds));
      if (this.stride) form.append("stride_ms", String(1000 * this.stride));
      form.append("include_raw", "true");
      for (const { at, jpeg } of frames) {
        form.append("timestamp_ms", at.toFixed(3));
        form.append("frame", jpeg, "frame.jpg");
      }
      let wait;
      try {
        const { signal } = this.abort;
        const { data } = await call("POST", "/api/rppg/measure", { key: this.key, form, signal, timeout: TIMEOUT_MS });
        if (data.status === "complete" || data.progress < 1) return data;
        wait = 1; // full, and analysed by another request: the same one again gets its result
        this.on.busy(waiting({ code: "ANALYSING" }));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        if (error.code === "NO_FACE_DETECTED") {
          this.on.guidance(error.guidance.length ? error.guidance : ["NO_FACE"]);
          return null;
        }
        wait = this.patience(error, attempt);
        if (error.status >= 500 && error.status !== 503) faults += 1;
        if (wait === null || faults >= ATTEMPTS) throw error;
      }
      await this.rest(wait);
    }
  }

  /** Seconds to wait before sending the same again; null if that would not help. */
  patience(error, attempt) {
    if (error.status === 0) {
      this.on.busy(waiting({ code: "CONNECTION_LOST" }));
      return Math.min(4, 0.5 * 2 ** attempt);
    }
    if (error.status === 429 || error.status === 503) {
      const seconds = error.retryAfter ?? 2;
      this.on.busy(waiting({ code: error.status === 429 ? "RATE_LIMITED" : "SERVICE_BUSY", seconds }));
      return seconds;
    }
    return error.status >= 500 ? 1 : null;
  }

  async rest(seconds) {
    const end = performance.now() + 1000 * seconds;
    const online = new Promise((resolve) => addEventListener("online", resolve, { once: true }));
    while (performance.now() < end) {
      this.abort.signal.throwIfAborted();
      const left = Math.min(end - performance.now(), 250);
      const ended = await Promise.race([online.then(() => "online"), new Promise((resolve) => setTimeout(resolve, left))]);
      if (ended === "online") return;
    }
  }

  sleep(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

// The pulse on a canvas: its newest seconds while they come in, or all of it at rest.

import { drawPulse, drawRest } from "../pulse.js";

const SHOWN_S = 3;
const ADVANCE_MS = 2000; // a new tail of 5 s comes every other second

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    Object.assign(this, { values: [], fs: 1, beats: [], since: 0, moving: false });
    this.draw();
  }

  /** The newest seconds, `values` at `fs` Hz. */
  show(values, fs) {
    const idle = !this.moving;
    Object.assign(this, { values, fs, beats: [], since: performance.now(), moving: !still.matches });
    if (!this.moving) this.draw();
    else if (idle) requestAnimationFrame(() => this.step());
  }

  /** All of it, at rest, with its beats in seconds. */
  finish(values, fs, beats = []) {
    Object.assign(this, { values, fs, beats, moving: false });
    this.draw();
  }

  step() {
    if (!this.moving) return;
    this.draw();
    if (performance.now() - this.since > 2 * ADVANCE_MS) this.moving = false;
    else requestAnimationFrame(() => this.step());
  }

  draw() {
    const { canvas, values, fs, beats } = this;
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    if (values.length < 2) {
      drawRest(canvas, colour("--line"));
      return;
    }
    const length = values.length / fs;
    const span = this.moving ? Math.min(SHOWN_S, length) : length;
    const share = Math.min(1, (performance.now() - this.since) / ADVANCE_MS);
    const from = this.moving ? (length - span) * share : 0;
    drawPulse(canvas, { values, fs, from, span, beats, colours: { pulse: colour("--pulse"), beat: colour("--ink") } });
  }
}

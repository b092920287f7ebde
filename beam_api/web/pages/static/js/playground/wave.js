// The pulse on a canvas: its newest seconds while they come in, and all of it in the end.

const SHOWN_S = 4;
const ADVANCE_MS = 1000; // a new tail comes once a second

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    Object.assign(this, { values: [], fs: 1, since: 0, moving: false });
    this.draw();
  }

  /** The newest seconds, `values` at `fs` Hz. */
  show(values, fs) {
    const idle = !this.moving;
    Object.assign(this, { values, fs, since: performance.now(), moving: !still.matches });
    if (!this.moving) this.draw();
    else if (idle) requestAnimationFrame(() => this.step());
  }

  /** All of it, at rest. */
  finish(values, fs) {
    Object.assign(this, { values, fs, moving: false });
    this.draw();
  }

  step() {
    if (!this.moving) return;
    this.draw();
    if (performance.now() - this.since > 3 * ADVANCE_MS) this.moving = false;
    else requestAnimationFrame(() => this.step());
  }

  draw() {
    const { canvas, values, fs } = this;
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    if (values.length < 2) {
      context.strokeStyle = style.getPropertyValue("--line");
      context.lineWidth = ratio;
      context.beginPath();
      context.moveTo(0, height / 2);
      context.lineTo(width, height / 2);
      context.stroke();
      return;
    }
    const length = values.length / fs;
    const shown = this.moving ? Math.min(SHOWN_S, length) : length;
    const share = Math.min(1, (performance.now() - this.since) / ADVANCE_MS);
    const from = this.moving ? (length - shown) * share : 0;
    const top = Math.max(...values.map(Math.abs)) || 1;
    const x = (index) => ((index / fs - from) / shown) * width;
    const y = (index) => height / 2 - (values[index] / top) * height * 0.42;
    context.strokeStyle = style.getPropertyValue("--pulse");
    context.lineWidth = 2 * ratio;
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(x(0), y(0));
    for (let i = 1; i < values.length - 1; i += 1) {
      // Through the middles, with the samples as handles: a smooth line that invents no crest.
      context.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 1)) / 2, (y(i) + y(i + 1)) / 2);
    }
    context.lineTo(x(values.length - 1), y(values.length - 1));
    context.stroke();
  }
}

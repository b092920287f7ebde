// Frames of the bundled simulated face, for those without a camera; shown at twice its speed, stamped with its own times.

import { call } from "../api.js";

const SPEED = 2;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class SimulatedFace {
  constructor(canvas, push, seconds) {
    Object.assign(this, { canvas, push, seconds, running: false });
    this.context = canvas.getContext("2d", { alpha: false });
  }

  async start(onFailure) {
    this.running = true;
    this.play().catch((error) => this.running && onFailure(error));
  }

  stop() {
    this.running = false;
  }

  slowDown() {}

  async play() {
    let next = performance.now();
    for (let second = 0; second < this.seconds && this.running; second += 1) {
      const { data } = await call("GET", `/playground/face/${second}`);
      for (const [index, encoded] of data.frames.entries()) {
        if (!this.running) return;
        const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
        const jpeg = new Blob([bytes], { type: "image/jpeg" });
        await this.show(jpeg);
        this.push({ at: data.first_timestamp_ms + (1000 * index) / data.fps, jpeg });
        next = Math.max(next + 1000 / data.fps / SPEED, performance.now() - 250);
        await pause(Math.max(0, next - performance.now()));
      }
    }
  }

  async show(jpeg) {
    const bitmap = await createImageBitmap(jpeg);
    const { canvas } = this;
    if (canvas.width !== bitmap.width) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    this.context.drawImage(bitmap, 0, 0);
    bitmap.close();
  }
}

// Frames of the bundled simulated face, for those without a camera; shown at twice its speed, stamped with its own times.

import { call } from "../api.js";

const SPEED = 2;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class SimulatedFace {
  /**
   * @param {(frame: {at: number, jpeg: Blob}) => void} push
   * @param {{end: () => void, failure: (error: Error) => void}} on
   */
  constructor(canvas, push, seconds, on) {
    Object.assign(this, { canvas, push, seconds, on, running: false });
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  }

  play() {
    this.running = true;
    this.frames().then(
      () => this.running && this.on.end(),
      (error) => this.running && this.on.failure(error),
    );
  }

  /** The same as a FrameSource of the package beam-rppg. */
  source() {
    return {
      start: (take, isBusy, end) => {
        this.push = async ({ at }) => {
          while (isBusy() && this.running) await pause(5);
          take(at, this.context.getImageData(0, 0, this.canvas.width, this.canvas.height));
        };
        this.on.end = end;
        this.play();
      },
      stop: () => this.stop(),
    };
  }

  stop() {
    this.running = false;
  }

  slowDown() {}

  async frames() {
    let next = performance.now();
    for (let second = 0; second < this.seconds && this.running; second += 1) {
      const { data } = await call("GET", `/playground/face/${second}`);
      for (const [index, encoded] of data.frames.entries()) {
        if (!this.running) return;
        const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
        const jpeg = new Blob([bytes], { type: "image/jpeg" });
        await this.show(jpeg);
        await this.push({ at: data.first_timestamp_ms + (1000 * index) / data.fps, jpeg });
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

import type { FrameResult } from "./reader.js";

/** A frame for the worker. */
export interface Ask {
  readonly timeMs: number;
  readonly width: number;
  readonly height: number;
  readonly pixels: ArrayBuffer;
}

/** What the worker made of a frame. */
export interface FrameRead {
  readonly timeMs: number;
  readonly width: number;
  readonly height: number;
  readonly result: FrameResult;
  /** Processor time that the frame took, more or less. */
  readonly workMs: number;
}

export type Told =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly message: string }
  | ({ readonly type: "read"; readonly pixels: ArrayBuffer } & FrameRead);

const MOST_WAITING = 3; // frames before the worker; beyond them the machine is too slow, and frames are left out

/** A worker that reads frames, and how many it has before it. */
export class ReadingWorker {
  private readonly worker: Worker;
  private waiting = 0;
  private fail: (error: Error) => void = () => {};
  readonly ready: Promise<void>;

  constructor(private readonly onRead: (read: FrameRead) => void) {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.ready = new Promise((resolve, reject) => {
      this.fail = reject;
      this.worker.onmessage = ({ data }: MessageEvent<Told>) => {
        if (data.type === "ready") resolve();
        else if (data.type === "failed") reject(new Error(data.message));
        else this.answered(data);
      };
      this.worker.onerror = (event) => reject(new Error(event.message || "The reader's worker can't be started."));
    });
    this.ready.catch(() => {});
  }

  get isBusy(): boolean {
    return this.waiting >= MOST_WAITING;
  }

  read(ask: Ask): void {
    this.waiting += 1;
    this.worker.postMessage(ask, [ask.pixels]);
  }

  stop(): void {
    this.worker.terminate();
    this.fail(new Error("The reader was stopped."));
  }

  private answered(read: FrameRead): void {
    this.waiting -= 1;
    this.onRead(read);
  }
}

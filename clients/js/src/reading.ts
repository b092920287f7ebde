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

/** What the worker answers. */
export type Reply =
  | { readonly type: "ready" }
  | { readonly type: "failed"; readonly message: string }
  | ({ readonly type: "read" } & FrameRead);

const MOST_WAITING = 3; // frames before the worker; beyond them the machine is too slow, and frames are left out

/** A worker that reads frames, and how many it has before it. */
export class ReadingWorker {
  private readonly worker: Worker;
  private waiting = 0;
  readonly ready: Promise<void>;

  /** `onFail` is called when the worker can't be started, or breaks later. */
  constructor(onRead: (read: FrameRead) => void, onFail: (message: string) => void) {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onerror = (event) => onFail(event.message || "The reader's worker can't be started.");
    this.ready = new Promise((resolve) => {
      this.worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        if (data.type === "ready") return resolve();
        if (data.type === "failed") return onFail(data.message);
        this.waiting -= 1;
        onRead(data);
      };
    });
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
  }
}

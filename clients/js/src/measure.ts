import { fractions, writeSample, type Sample } from "./sample.js";
import { VideoFrames } from "./frames.js";
import { ReadingWorker, type FrameRead } from "./reading.js";
import { BeamError, type Guidance, type Partial, type Progress, type Result } from "./results.js";
import { send, type Target } from "./sender.js";

export interface MeasureOptions {
  /** A session token, which your own server gets from POST /api/keys/me/tokens. */
  readonly token: string;
  /** The session that the token is for. */
  readonly sessionId: string;
  /** The service's address; by default the page's own origin. */
  readonly url?: string;
  /** How long the window is, 10 s to 5 min; by default 30 s. */
  readonly durationMs?: number;
  /** Frames a second that are read at most; by default 20, which is some 45 kbit/s. */
  readonly maxRate?: number;
  /** Ask for the pulse wave and the beats, too. */
  readonly includeRaw?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onPartial?: (partial: Partial) => void;
  /** What to change in the picture; empty if nothing. */
  readonly onGuidance?: (codes: readonly Guidance[]) => void;
  /** Five landmarks in fractions of the frame, or null; on every frame that is read. */
  readonly onFace?: (landmarks: readonly (readonly [number, number])[] | null, workMs: number) => void;
}

const BATCH_MS = 850;
const MOST_SAMPLES = 256;
const MOST_QUEUE_MS = 20_000;
const ABSENT_MS = 1000;

/**
 * Measure the person that a playing `<video>` shows: a camera's stream or a recording, of any origin that the page may read.
 * The face is read in a worker; mean colours leave the browser, and no image does.
 *
 * Throws BeamError, or what `signal` was aborted with.
 */
export async function measure(video: HTMLVideoElement, options: MeasureOptions): Promise<Result> {
  const session = new Session(video, options);
  try {
    return await session.run();
  } finally {
    session.close();
  }
}

interface Waiting {
  readonly sample: Sample;
  readonly size: readonly [number, number];
  readonly face: [number, number][];
}

class Session {
  private readonly worker: ReadingWorker;
  private readonly frames: VideoFrames;
  private readonly target: Target;
  private readonly abort = new AbortController();
  private queue: Waiting[] = [];
  private ended = false;
  private faceMs: number | null = null;
  private missing: Guidance | null = null;
  private wake = (): void => {};
  private readonly onEnded = (): void => {
    this.ended = true;
    this.wake();
  };
  private readonly onAbort = (): void => this.abort.abort(this.options.signal?.reason);

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly options: MeasureOptions,
  ) {
    this.worker = new ReadingWorker(
      (read) => this.take(read),
      (message) => this.abort.abort(new BeamError(message, "READER_FAILED")),
    );
    this.frames = new VideoFrames(
      video,
      (timeMs, { data, width, height }) => this.worker.read({ timeMs, width, height, pixels: data.buffer as ArrayBuffer }),
      options.maxRate ?? 20,
      () => this.worker.isBusy,
    );
    this.target = {
      url: options.url ?? location.origin,
      token: options.token,
      sessionId: options.sessionId,
      durationMs: options.durationMs ?? 30_000,
      includeRaw: options.includeRaw ?? false,
    };
  }

  async run(): Promise<Result> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.onAbort);
    this.video.addEventListener("ended", this.onEnded);
    this.abort.signal.addEventListener("abort", () => this.wake());
    await this.started();
    this.frames.start();
    for (;;) {
      const batch = await this.batch();
      if (!batch.length) return this.finish();
      const answer = await this.post(batch);
      if (answer.status === "complete") return answer;
      this.report(answer);
    }
  }

  close(): void {
    this.options.signal?.removeEventListener("abort", this.onAbort);
    this.video.removeEventListener("ended", this.onEnded);
    this.frames.stop();
    this.worker.stop();
    this.abort.abort();
  }

  private started(): Promise<void> {
    const { signal } = this.abort;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      void this.worker.ready.then(resolve);
      if (signal.aborted) reject(signal.reason);
    });
  }

  private take({ timeMs, width, height, result, workMs }: FrameRead): void {
    const { onFace } = this.options;
    onFace?.(result.landmarks && fractions(result.landmarks, width, height), workMs);
    for (const one of result.confirmed) {
      const face = fractions(one.landmarks, width, height);
      this.queue.push({ sample: writeSample(one.timeMs, one.reading), size: [width, height], face });
    }
    while (this.queue.length && timeMs - this.queue[0]!.sample.timestamp_ms > MOST_QUEUE_MS) this.queue.shift();
    this.watch(timeMs, result.status);
    if (result.confirmed.length) this.wake();
  }

  /** Say so if there has been no face for a while. */
  private watch(timeMs: number, status: FrameRead["result"]["status"]): void {
    if (status === "face") {
      this.faceMs = timeMs;
      this.missing = null;
      return;
    }
    this.faceMs ??= timeMs;
    const code = status === "GREY" ? "NO_FACE" : status;
    if (timeMs - this.faceMs < ABSENT_MS || this.missing === code) return;
    this.missing = code;
    this.options.onGuidance?.([code]);
  }

  /** About a second of samples; none when the video has ended. */
  private async batch(): Promise<Waiting[]> {
    for (;;) {
      this.abort.signal.throwIfAborted();
      const [first, last] = [this.queue[0], this.queue.at(-1)];
      const spanMs = first && last ? last.sample.timestamp_ms - first.sample.timestamp_ms : 0;
      if (first && (spanMs >= BATCH_MS || this.ended)) {
        const other = this.queue.findIndex(({ size }) => size[0] !== first.size[0] || size[1] !== first.size[1]);
        return this.queue.splice(0, Math.min(other < 0 ? MOST_SAMPLES : other, MOST_SAMPLES));
      }
      if (this.ended) return [];
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private post(batch: readonly Waiting[]): Promise<Progress | Result> {
    const samples = batch.map(({ sample }) => sample);
    const newest = batch.at(-1)!;
    samples[samples.length - 1] = { ...newest.sample, face: { landmarks: newest.face } };
    return send(this.target, newest.size, samples, this.abort.signal);
  }

  /** The recording has ended: what there is of it is measured. */
  private async finish(): Promise<Result> {
    const { videoWidth, videoHeight } = this.video;
    try {
      const answer = await send(this.target, [videoWidth || 1, videoHeight || 1], [], this.abort.signal, true);
      if (answer.status === "complete") return answer;
    } catch (error) {
      if (!(error instanceof BeamError) || error.status !== 404) throw error;
    }
    throw new BeamError("The video ended before a face was seen in it.", "VIDEO_ENDED");
  }

  private report(answer: Progress): void {
    this.options.onProgress?.(answer);
    if (answer.partial) this.options.onPartial?.(answer.partial);
    this.options.onGuidance?.(this.missing ? [this.missing, ...answer.guidance] : answer.guidance);
  }
}

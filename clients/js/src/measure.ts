import { fractions, writeSample, type Sample } from "./sample.js";
import { VideoFrames, type FrameSource } from "./frames.js";
import { ReadingWorker, type FrameRead } from "./reading.js";
import { BeamError, type Guidance, type Partial, type Progress, type Result } from "./results.js";
import { send, type Target, type Wait } from "./sender.js";

export interface MeasureOptions {
  /** A session token, which your own server gets from POST /api/keys/me/tokens. */
  readonly token: string;
  /** The session that the token is for. */
  readonly sessionId: string;
  /** The service's address; by default the page's own origin. */
  readonly url?: string;
  /** How long the window is, 10 s to 5 min; by default 30 s. */
  readonly durationMs?: number;
  /** Frames a second that are read at most; by default 20, which is some 33 kbit/s. */
  readonly maxRate?: number;
  /** Ask for the pulse wave and the beats, too. */
  readonly includeRaw?: boolean;
  /**
   * Go on after the first measurement, and measure the newest window each time that so much more has passed: 1 s up to the
   * window's length. It ends with `signal`, or with the video.
   */
  readonly strideMs?: number;
  /** Each measurement, with `strideMs`; the last one is returned, too. */
  readonly onMeasurement?: (result: Result) => void;
  readonly signal?: AbortSignal;
  /** A request has to be sent again: the connection is lost, or the service busy. */
  readonly onWait?: (wait: Wait) => void;
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
 * A source of frames of your own will do, too.
 * The face is read in a worker; mean colours leave the browser, and no image does.
 *
 * Throws BeamError, or what `signal` was aborted with.
 */
export async function measure(source: HTMLVideoElement | FrameSource, options: MeasureOptions): Promise<Result> {
  const frames = source instanceof HTMLVideoElement ? new VideoFrames(source, options.maxRate ?? 20) : source;
  const session = new Session(frames, options);
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
  private readonly target: Target;
  private readonly abort = new AbortController();
  private queue: Waiting[] = [];
  private ended = false;
  private faceMs: number | null = null;
  private missing: Guidance | null = null;
  private size: readonly [number, number] = [1, 1];
  private last: Result | null = null;
  private wake = (): void => {};
  private readonly onEnd = (): void => {
    this.ended = true;
    this.wake();
  };
  private readonly onAbort = (): void => this.abort.abort(this.options.signal?.reason);

  constructor(
    private readonly frames: FrameSource,
    private readonly options: MeasureOptions,
  ) {
    this.worker = new ReadingWorker(
      (read) => this.take(read),
      (message) => this.abort.abort(new BeamError(message, "READER_FAILED")),
    );
    this.target = {
      url: options.url ?? location.origin,
      token: options.token,
      sessionId: options.sessionId,
      durationMs: options.durationMs ?? 30_000,
      includeRaw: options.includeRaw ?? false,
      includePartial: options.onPartial !== undefined,
      ...(options.strideMs && { strideMs: options.strideMs }),
      ...(options.onWait && { onWait: options.onWait }),
    };
  }

  async run(): Promise<Result> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    signal?.addEventListener("abort", this.onAbort);
    this.abort.signal.addEventListener("abort", () => this.wake());
    await this.started();
    this.frames.start(
      (timeMs, { data, width, height }) => this.worker.read({ timeMs, width, height, pixels: data.buffer as ArrayBuffer }),
      () => this.worker.isBusy,
      this.onEnd,
    );
    for (;;) {
      const batch = await this.batch();
      if (!batch.length) return this.finish();
      const answer = await this.post(batch);
      if (answer.status === "buffering") this.report(answer);
      else if (this.options.strideMs) this.keep(answer);
      else return answer;
    }
  }

  close(): void {
    this.options.signal?.removeEventListener("abort", this.onAbort);
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

  /** Of a window that slides: one request may pass several strides. */
  private keep(answer: Result): void {
    this.last = answer;
    for (const result of [...(answer.results ?? []), answer]) this.options.onMeasurement?.(result);
  }

  private take({ timeMs, width, height, result, workMs }: FrameRead): void {
    const { onFace } = this.options;
    this.size = [width, height];
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
    if (this.last) return this.last;
    try {
      const answer = await send(this.target, this.size, [], this.abort.signal, true);
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

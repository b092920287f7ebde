import type { Guidance, Partial, Progress, Result } from "../results.js";
import { FramesEnded, NoFace, NotFound, SourceError } from "./errors.js";
import { Exchange, type ClientOptions } from "./exchange.js";

/** A picture as JPEG or PNG, and when it was taken. */
export interface Frame {
  readonly timestampMs: number;
  readonly image: Uint8Array | Blob;
}

export interface FrameOptions extends ClientOptions {
  /** Which person this is; by default a new one. */
  readonly sessionId?: string;
  /** Length of the window, 10 s to 5 min; by default 30 s. */
  readonly durationMs?: number;
  /** Whether frames are being taken now: then each request holds about a second, as the key's limit allows. */
  readonly live?: boolean;
  /** Ask for the pulse wave and the beats, too. */
  readonly includeRaw?: boolean;
  readonly onProgress?: (progress: Progress) => void;
  readonly onPartial?: (partial: Partial) => void;
  readonly onGuidance?: (codes: readonly Guidance[]) => void;
}

const BATCH_MS = 1000;
const BATCH = 30;
const MOST_FRAMES = 60; // the service takes 64 of at most 32 MB
const MOST_BYTES = 24 * 1024 * 1024;
const ROUNDING_MS = 1;
const SHARE = 0.9; // of the rate limit
const ANALYSIS_MS = 500;
const ANALYSIS_TRIES = 30;

/**
 * Measure the person in frames, an iterable or an async one, which is read as far as the window needs.
 * Frames that end early close the window: what there is of it is measured.
 *
 * Throws a BeamError (NoFace, if no frame shows one), or what `signal` was aborted with.
 */
export async function measureFrames(
  frames: Iterable<Frame> | AsyncIterable<Frame>,
  options: FrameOptions = {},
): Promise<Result> {
  return new Window(options).fill(frames);
}

class Window {
  private readonly exchange: Exchange;
  private readonly sessionId: string;
  private limit = 60; // requests a minute, until the service has said
  private noFace: NoFace | null = null;

  constructor(private readonly options: FrameOptions) {
    this.exchange = new Exchange(options);
    this.sessionId = options.sessionId ?? `js-${crypto.randomUUID()}`;
  }

  async fill(frames: Iterable<Frame> | AsyncIterable<Frame>): Promise<Result> {
    let batch: Frame[] = [];
    for await (const frame of frames) {
      if (!Number.isFinite(frame?.timestampMs) || !frame.image) {
        throw new SourceError("A frame is { timestampMs, image }, its image the bytes of a JPEG or PNG.", "INVALID_FRAME");
      }
      if (batch.length && this.isFull(batch, frame)) {
        const result = await this.post(batch, false);
        if (result) return result;
        batch = [];
      }
      batch.push(frame);
    }
    return this.close(batch);
  }

  /** Whether a batch is sent before the frame that follows: after a second, or at a bound of the service's. */
  private isFull(batch: readonly Frame[], following: Frame): boolean {
    const bytes = [...batch, following].reduce((sum, { image }) => sum + sizeOf(image), 0);
    if (batch.length >= MOST_FRAMES || bytes > MOST_BYTES) return true;
    const spanMs = following.timestampMs - batch[0]!.timestampMs;
    if (this.options.live) return spanMs >= Math.max(BATCH_MS, 60_000 / (SHARE * this.limit)) - ROUNDING_MS;
    return batch.length >= BATCH && spanMs >= BATCH_MS - ROUNDING_MS;
  }

  private async close(batch: readonly Frame[]): Promise<Result> {
    try {
      // A batch without a face closes nothing.
      const result = (batch.length ? await this.post(batch, true) : null) ?? (await this.post([], true));
      if (result) return result;
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
    throw this.noFace ?? new FramesEnded("The frames ended before one was buffered.", "FRAMES_ENDED");
  }

  /** The measurement, if these frames fill the window or close it. */
  private async post(batch: readonly Frame[], final: boolean): Promise<Result | null> {
    const body = this.form(batch, final);
    for (let tries = 0; tries < ANALYSIS_TRIES; tries++) {
      const answer = await this.send(body);
      if (answer === null || answer.status === "complete") return answer;
      this.report(answer);
      if (answer.progress < 1) return null;
      await this.exchange.pause(ANALYSIS_MS); // another try of this request has filled the window, and is at work on it
    }
    return null;
  }

  private async send(body: FormData): Promise<Progress | Result | null> {
    try {
      const answer = await this.exchange.ask({ method: "POST", path: "/api/rppg/measure", body });
      this.limit = Number(answer.headers.get("X-RateLimit-Limit") ?? this.limit) || this.limit;
      return answer.body.data as Progress | Result;
    } catch (error) {
      if (!(error instanceof NoFace)) throw error;
      this.noFace = error; // one goes on: what is buffered is kept for some seconds
      this.options.onGuidance?.(error.guidance);
      return null;
    }
  }

  private form(batch: readonly Frame[], final: boolean): FormData {
    const form = new FormData();
    form.append("session_id", this.sessionId);
    form.append("duration_ms", String(this.options.durationMs ?? 30_000));
    if (this.options.includeRaw) form.append("include_raw", "true");
    if (!this.options.onPartial) form.append("include_partial", "false"); // which spares the service a search
    if (final) form.append("final", "true");
    for (const { timestampMs, image } of batch) {
      form.append("timestamp_ms", timestampMs.toFixed(3));
      form.append("frame", image instanceof Blob ? image : new Blob([image as BlobPart]), "frame");
    }
    return form;
  }

  private report(answer: Progress): void {
    this.options.onProgress?.(answer);
    if (answer.partial) this.options.onPartial?.(answer.partial);
    this.options.onGuidance?.(answer.guidance);
  }
}

function sizeOf(image: Uint8Array | Blob): number {
  return image instanceof Blob ? image.size : image.byteLength;
}

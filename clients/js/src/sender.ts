import type { Sample } from "./sample.js";
import { BeamError, type Progress, type Result } from "./results.js";

/** Where samples go, and for whose window. */
export interface Target {
  readonly url: string;
  /** A session token of POST /api/keys/me/tokens. Never an API key: whoever has the page would have it. */
  readonly token: string;
  readonly sessionId: string;
  readonly durationMs: number;
  readonly includeRaw: boolean;
  /** Whether anybody reads the running rate, which is most of what a request costs the service. */
  readonly includePartial: boolean;
  /** Time between two measurements of a window that slides. */
  readonly strideMs?: number;
  /** Is called before the same request is sent again. */
  readonly onWait?: (wait: Wait) => void;
}

/** Why a request has to be sent again, and in how many seconds. */
export interface Wait {
  readonly code: "CONNECTION_LOST" | "RATE_LIMITED" | "SERVICE_BUSY" | "ANALYSING";
  readonly seconds: number;
}

const TIMEOUT_MS = 15_000;
const LOST_MS = 30_000; // without a connection; then the window is gone, too
const FAULTS = 5; // of the service, one after another
const MOST_WAIT_S = 61;

/**
 * Send samples, and send the very same body again until it is answered: one that arrived before counts once.
 * Throws BeamError, or what `signal` was aborted with.
 */
export async function send(
  target: Target,
  frameSize: readonly [number, number],
  samples: readonly Sample[],
  signal: AbortSignal,
  final = false,
): Promise<Progress | Result> {
  const body = await packed({
    session_id: target.sessionId,
    duration_ms: target.durationMs,
    ...(target.strideMs && { stride_ms: target.strideMs }),
    ...(target.includeRaw && { include_raw: true }),
    ...(!target.includePartial && { include_partial: false }),
    ...(final && { final: true }),
    sample_version: 1,
    frame_size: frameSize,
    samples,
  });
  let faults = 0;
  const begun = performance.now();
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    let wait: Wait = { code: "ANALYSING", seconds: 0.5 };
    try {
      const answer = await post(target, body, signal);
      if (answer.status === "complete" || answer.progress < 1) return answer;
      // Full, and being analysed by another request: the same one again gets its result.
    } catch (error) {
      if (!(error instanceof BeamError)) throw error;
      if (error.status >= 500 && error.status !== 503) faults += 1;
      const patience = patienceS(error, attempt);
      const lost = error.status === 0 && performance.now() - begun > LOST_MS;
      if (patience === null || faults >= FAULTS || lost) throw error;
      wait = { code: reason(error), seconds: patience };
    }
    target.onWait?.(wait);
    await pause(wait.seconds * 1000, signal);
  }
}

/** Seconds to wait before sending the same again; null if that would not help. */
function patienceS(error: BeamError, attempt: number): number | null {
  if (error.code === "INVALID_ANSWER") return null;
  if (error.status === 0) return Math.min(4, 0.5 * 2 ** attempt);
  if (error.status === 429 || error.status === 503) return Math.min(error.retryAfterS ?? 2, MOST_WAIT_S);
  return error.status >= 500 ? 1 : null;
}

function reason({ status }: BeamError): Wait["code"] {
  if (status === 429) return "RATE_LIMITED";
  return status === 0 ? "CONNECTION_LOST" : "SERVICE_BUSY";
}

async function post(target: Target, body: Packed, signal: AbortSignal): Promise<Progress | Result> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), TIMEOUT_MS);
  const stop = (): void => limit.abort();
  signal.addEventListener("abort", stop);
  try {
    const answer = await fetch(new URL("/api/rppg/samples", target.url), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-API-Key": target.token, ...body.headers },
      body: body.content,
      credentials: "same-origin", // none to another origin
      cache: "no-store",
      signal: limit.signal,
    });
    return read(answer, await answer.json().catch(() => null));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BeamError) throw error;
    throw new BeamError("The service can't be reached.", "CONNECTION_LOST");
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

interface Envelope {
  readonly data?: Progress | Result;
  readonly error?: { code: string; message: string; guidance?: Progress["guidance"] };
  readonly meta?: { request_id?: string };
}

function read(answer: Response, envelope: Envelope | null): Progress | Result {
  if (answer.ok && envelope?.data) return envelope.data;
  const error = envelope?.error;
  const seconds = Number(answer.headers.get("Retry-After") ?? NaN);
  throw new BeamError(
    error?.message ?? `The answer is not the service's: ${answer.status}.`,
    error?.code ?? (answer.status >= 500 ? "SERVICE_FAULT" : "INVALID_ANSWER"),
    answer.status,
    error?.guidance ?? [],
    envelope?.meta?.request_id ?? null,
    Number.isFinite(seconds) ? seconds : null,
  );
}

interface Packed {
  readonly content: BodyInit;
  readonly headers: Readonly<Record<string, string>>;
}

async function packed(body: object): Promise<Packed> {
  const text = JSON.stringify(body);
  if (typeof CompressionStream === "undefined") return { content: text, headers: {} };
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return { content: await new Response(stream).arrayBuffer(), headers: { "Content-Encoding": "gzip" } };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}

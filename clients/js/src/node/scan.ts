import { openAsBlob } from "node:fs";
import type { VitalSigns } from "../results.js";
import { Conflict, NotFound, ScanFailed, SourceError, TimedOut } from "./errors.js";
import { Exchange, type ClientOptions } from "./exchange.js";

export interface ScanOptions extends ClientOptions {
  /** Where the service posts the result, too. */
  readonly webhookUrl?: string;
  /** How long to wait for the result; by default 3 min. */
  readonly timeoutMs?: number;
  readonly onProgress?: (job: ScanJob) => void;
}

/** The vital signs of a video, under the names of the measure API. */
export interface ScanResult extends VitalSigns {
  readonly session_id: string;
  readonly guidance: readonly string[];
  readonly [field: string]: unknown;
}

/** A video that is being analysed, or was. */
export interface ScanJob {
  readonly sessionId: string;
  readonly status: "pending" | "processing" | "completed" | "failed";
  /** How much of the video is analysed, 0 to 1. */
  readonly progress: number;
  readonly result: ScanResult | null;
  readonly error: string | null;
}

interface Vitals {
  readonly session_id: string;
  readonly status: ScanJob["status"];
  readonly progress?: number | null;
  readonly vitals?: Readonly<Record<string, unknown>>;
  readonly error?: string | null;
}

const ROOT = "/api/v1/scan-session";
const POLL_MS = 1500; // within the 60 requests a minute of a scan key
const PATIENCE_MS = 180_000;

/**
 * Upload a whole video and wait for its vital signs. A scan whose `signal` is aborted is cancelled at the service too.
 *
 * Throws a BeamError: ScanFailed, if the video has no result; TimedOut, if that takes too long.
 */
export async function scan(path: string | URL, options: ScanOptions = {}): Promise<ScanResult> {
  const exchange = new Exchange(options);
  const video = await opened(path);
  const asked = JSON.stringify(options.webhookUrl ? { webhook_url: options.webhookUrl } : {});
  const made = await exchange.ask({ method: "POST", path: ROOT, body: asked });
  const sessionId = (made.body as Vitals).session_id;
  try {
    await upload(exchange, sessionId, video);
    return await waited(exchange, sessionId, options);
  } catch (error) {
    if (options.signal?.aborted) await cancelScan(sessionId, hasty(options)).catch(() => undefined);
    throw error;
  }
}

/** What has become of a scan. */
export async function scanStatus(sessionId: string, options: ClientOptions = {}): Promise<ScanJob> {
  return status(new Exchange(options), sessionId);
}

/** End a scan in any state: its analysis is stopped, its video and vitals are deleted. One that is gone is no error. */
export async function cancelScan(sessionId: string, options: ClientOptions = {}): Promise<void> {
  try {
    await new Exchange(options).ask({ method: "DELETE", path: pathOf(sessionId) });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
}

async function opened(path: string | URL): Promise<Blob> {
  try {
    return await openAsBlob(path); // some failures are thrown at once
  } catch (error) {
    throw new SourceError(`${path} can't be read: ${(error as Error).message}.`, "UNREADABLE");
  }
}

async function upload(exchange: Exchange, sessionId: string, video: Blob): Promise<void> {
  const body = new FormData();
  body.append("file", video, "video");
  try {
    await exchange.ask({ method: "POST", path: `${pathOf(sessionId)}/video`, body });
  } catch (error) {
    // The session is new: only a try of this request whose answer was lost can have filled it.
    if (!(error instanceof Conflict)) throw error;
  }
}

async function waited(exchange: Exchange, sessionId: string, options: ScanOptions): Promise<ScanResult> {
  const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const job = await status(exchange, sessionId);
    options.onProgress?.(job);
    if (job.result) return job.result;
    if (job.status === "failed") throw new ScanFailed(job.error ?? "The video has no result.", sessionId);
    if (performance.now() + POLL_MS > endMs) {
      throw new TimedOut(`The scan has not finished in ${timeoutMs / 1000} s. scanStatus("${sessionId}") asks again.`, sessionId);
    }
    await exchange.pause(POLL_MS);
  }
}

async function status(exchange: Exchange, sessionId: string): Promise<ScanJob> {
  const { body } = await exchange.ask({ method: "GET", path: `${pathOf(sessionId)}/vitals` });
  const found = body as Vitals;
  const isOver = found.status === "completed" || found.status === "failed";
  return {
    sessionId,
    status: found.status,
    progress: isOver ? 1 : (found.progress ?? 0),
    result: found.status === "completed" ? ({ ...renamed(found.vitals ?? {}), session_id: sessionId } as unknown as ScanResult) : null,
    error: found.error ?? null,
  };
}

/** The scan API says `respiratory_rate`, in its objects too. */
function renamed(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(values).map(([name, value]) => {
    const inner = value && typeof value === "object" && !Array.isArray(value) ? renamed(value as Record<string, unknown>) : value;
    return [name === "respiratory_rate" ? "respiration_rate" : name, inner];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** One try without waiting, for a caller who was interrupted. */
function hasty({ url, key }: ClientOptions): ClientOptions {
  return { ...(url && { url }), ...(key && { key }), retries: 0, maxWaitMs: 0, requestTimeoutMs: 5000 };
}

function pathOf(sessionId: string): string {
  return `${ROOT}/${encodeURIComponent(sessionId)}`;
}

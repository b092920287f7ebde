import { env } from "node:process";
import { ConfigurationError, MissingKey, serviceError, ServiceUnreachable, UnexpectedAnswer, type Body } from "./errors.js";

/** Where the service is, and how patient requests are. */
export interface ClientOptions {
  /** Address of the service; else BEAM_URL, else http://localhost:8000. */
  readonly url?: string;
  /** API key; else BEAM_API_KEY. */
  readonly key?: string;
  /** How long one request may take; by default 60 s. */
  readonly requestTimeoutMs?: number;
  /** How often a request is sent again after a lost connection; by default 4 times. */
  readonly retries?: number;
  /** How long one request may wait in all when the service answers 429 or 503; by default 65 s. */
  readonly maxWaitMs?: number;
  readonly signal?: AbortSignal;
}

/** A request. The same one is sent again, by which the service knows it. */
export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: FormData | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

const BUSY = new Set([429, 502, 503, 504]);
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** Sends each request until it is answered. */
export class Exchange {
  private readonly url: URL;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(private readonly options: ClientOptions) {
    const address = (options.url ?? env["BEAM_URL"] ?? "") || "http://localhost:8000";
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      throw new ConfigurationError("The url has to begin with http:// or https://, and to name a host.", "INVALID_URL");
    }
    this.url = new URL(`${address.replace(/\/+$/, "")}/`);
    const key = (options.key ?? env["BEAM_API_KEY"] ?? "").trim();
    if (!key) throw new MissingKey(`No API key. Pass key or set BEAM_API_KEY. Get one at ${this.shown}/keys.`, "MISSING_KEY");
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw new ConfigurationError("The key holds a character that no API key has.", "INVALID_KEY");
    }
    this.headers = { "X-API-Key": key };
  }

  /** The answer to a request that the service grants. Throws BeamError, or what the signal was aborted with. */
  async ask(request: Request): Promise<Answer> {
    const [retries, maxWaitMs] = [this.options.retries ?? 4, this.options.maxWaitMs ?? 65_000];
    let [lost, busy, waitedMs] = [0, 0, 0];
    for (;;) {
      this.options.signal?.throwIfAborted();
      const answer = await this.send(request);
      if (typeof answer === "string") {
        if (lost >= retries) throw this.unreachable(answer);
        await this.pause(backoffMs(lost++));
        continue;
      }
      const retryAfterS = secondsOf(answer);
      const pauseMs = retryAfterS === null ? backoffMs(busy) : 1000 * retryAfterS;
      if (!BUSY.has(answer.status) || waitedMs + pauseMs > maxWaitMs) return this.read(answer, retryAfterS);
      await answer.body?.cancel();
      await this.pause(pauseMs);
      waitedMs += pauseMs;
      busy += 1;
    }
  }

  /** Wait. Throws what the signal was aborted with. */
  pause(ms: number): Promise<void> {
    const { signal } = this.options;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      if (signal?.aborted) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  }

  private get shown(): string {
    return `${this.url.origin}${this.url.pathname.replace(/\/$/, "")}`;
  }

  /** An answer, or why none came. */
  private async send({ method, path, body }: Request): Promise<Response | string> {
    const limit = AbortSignal.timeout(this.options.requestTimeoutMs ?? 60_000);
    const { signal } = this.options;
    const json = typeof body === "string" ? { "Content-Type": "application/json" } : {};
    try {
      return await fetch(new URL(path.replace(/^\//, ""), this.url), {
        method,
        headers: { ...this.headers, ...json },
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...(body !== undefined && { body }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      const { message, cause } = error as Error;
      return cause instanceof Error && cause.message ? cause.message : message;
    }
  }

  private async read(answer: Response, retryAfterS: number | null): Promise<Answer> {
    const { status, headers, ok } = answer;
    if (status === 204) return { status, headers, body: {} };
    const body = (await answer.json().catch(() => null)) as Body | null;
    this.options.signal?.throwIfAborted();
    const isOurs = body && (ok ? "data" in body || "session_id" in body : "error" in body || "detail" in body);
    if (!isOurs) {
      const message = `No Beam answers at ${this.shown} (status ${status}). Check the address.`;
      throw new UnexpectedAnswer(message, "INVALID_ANSWER", status);
    }
    if (!ok) throw serviceError(answer, body, retryAfterS);
    return { status, headers, body };
  }

  private unreachable(reason: string): ServiceUnreachable {
    return new ServiceUnreachable(
      `The service at ${this.shown} can't be reached (${reason}). Start it with \`beam serve\`, or give its address (url or BEAM_URL).`,
      "CONNECTION_LOST",
    );
  }
}

function secondsOf({ headers }: Response): number | null {
  const seconds = Number(headers.get("Retry-After") ?? NaN);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : null;
}

function backoffMs(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * (0.5 + 0.5 * Math.random());
}

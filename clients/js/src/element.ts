import { Measurement } from "./measurement.js";
import { BeamError, type Guidance, type Partial, type Progress, type Result, type Vital } from "./results.js";
import { sheet } from "./style.js";
import { ENGLISH, type Words } from "./words.js";

export type { Words } from "./words.js";

/** What the address in `token-url` answers to a POST: a session token, and the session that it is for. */
export interface Grant {
  readonly token: string;
  readonly session_id: string;
  /** The service's address, if it is not the page's. */
  readonly url?: string;
}

const EVENTS = ["progress", "partial", "guidance", "measurement"] as const;
const MARKUP = `
  <div part="stage">
    <video part="video" playsinline muted aria-hidden="true"></video>
    <p part="rate" hidden><b></b> <span></span></p>
  </div>
  <progress part="progress" max="1" value="0"></progress>
  <p part="status" role="status" aria-live="polite"></p>
  <dl part="results"></dl>
  <button part="button" type="button"></button>
`;

/**
 * `<beam-measure token-url="/beam-token"></beam-measure>`: a camera, a button and the result.
 *
 * Attributes: `token-url`, or `token` and `session`; `url` of the service; `duration` in seconds. Events, which bubble:
 * `progress`, `partial`, `guidance`, `measurement`, with what the service answered as `detail`, and `failure` with an Error.
 */
export class BeamMeasure extends HTMLElement {
  /** Texts; assign them before a measurement starts. */
  words: Words = ENGLISH;
  private readonly root: ShadowRoot;
  private running: Measurement | null = null;
  private busy = false;
  private stopped = false;

  constructor() {
    super();
    this.root = this.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [sheet()];
    this.root.innerHTML = MARKUP;
    this.find("button").addEventListener("click", () => {
      if (this.busy) this.stop();
      else void this.start();
    });
  }

  connectedCallback(): void {
    this.find("button").textContent = this.words.start;
    this.find("progress").setAttribute("aria-label", this.words.progress);
    this.say(this.words.privacy);
  }

  disconnectedCallback(): void {
    this.stop();
  }

  /** Measure once; null if it ended without a result, which the event `failure` explains. */
  async start(): Promise<Result | null> {
    if (this.busy) return null;
    this.begin();
    try {
      const result = await this.measurement(await this.grant()).run();
      this.showResult(result);
      return result;
    } catch (error) {
      this.find("button").textContent = this.words.start;
      this.say(this.reason(error));
      this.emit("failure", error);
      return null;
    } finally {
      this.running = null;
      this.busy = false;
      this.toggleAttribute("measuring", false);
      this.find("progress").setAttribute("value", "0");
      this.find("rate").hidden = true;
    }
  }

  stop(): void {
    this.stopped = true;
    this.running?.stop();
  }

  private begin(): void {
    this.busy = true;
    this.stopped = false;
    this.toggleAttribute("measuring", true);
    this.find("results").replaceChildren();
    this.find("button").textContent = this.words.stop;
    this.say(this.words.opening);
  }

  private async grant(): Promise<Grant> {
    const [token, session, url] = [this.getAttribute("token"), this.getAttribute("session"), this.getAttribute("url")];
    const grant = token && session ? { token, session_id: session } : await this.asked();
    if (this.stopped) throw new DOMException("The measurement was stopped.", "AbortError");
    return url ? { ...grant, url } : grant;
  }

  private async asked(): Promise<Grant> {
    const address = this.getAttribute("token-url");
    if (!address) throw new BeamError("<beam-measure> needs token-url, or token and session.", "NO_TOKEN");
    const answer = await fetch(new URL(address, document.baseURI), { method: "POST" }).catch(() => null);
    if (!answer?.ok) throw new BeamError("The page's server gave no token.", "NO_TOKEN", answer?.status ?? 0);
    return (await answer.json()) as Grant;
  }

  private measurement(grant: Grant): Measurement {
    const seconds = Number(this.getAttribute("duration") ?? 30);
    const measurement = new Measurement({
      token: grant.token,
      sessionId: grant.session_id,
      ...(grant.url && { url: grant.url }),
      durationMs: 1000 * seconds,
      video: this.root.querySelector("video")!,
    });
    for (const name of EVENTS) measurement.on(name, ({ detail }: CustomEvent<unknown>) => this.emit(name, detail));
    measurement.on("progress", ({ detail }) => this.showProgress(detail));
    measurement.on("partial", ({ detail }) => this.showRate(detail));
    measurement.on("guidance", ({ detail }) => this.showGuidance(detail));
    return (this.running = measurement);
  }

  private showProgress({ progress }: Progress): void {
    this.find("progress").setAttribute("value", String(progress));
  }

  private showRate({ heart_rate }: Partial): void {
    const rate = this.find("rate");
    rate.hidden = heart_rate === null;
    rate.querySelector("b")!.textContent = heart_rate === null ? "" : heart_rate.toFixed(0);
    rate.querySelector("span")!.textContent = this.words.rate;
  }

  private showGuidance(codes: readonly Guidance[]): void {
    const advice = codes.map((code) => this.words.guidance[code] ?? "").filter(Boolean);
    this.say(advice.length ? advice.join(" ") : this.words.measuring);
  }

  private showResult(result: Result): void {
    const rows = (Object.keys(this.words.vitals) as Vital[]).map((vital) => {
      const [name, unit] = this.words.vitals[vital];
      const value = result[vital];
      const row = document.createElement("div");
      row.dataset.vital = vital;
      row.append(made("dt", name), made("dd", value === null ? this.words.none : `${value} ${unit}`.trim()));
      return row;
    });
    this.find("results").replaceChildren(...rows);
    this.find("button").textContent = this.words.again;
    const advice = result.guidance.map((code) => this.words.guidance[code] ?? "").filter(Boolean);
    this.say(result.verdict === "release" ? this.words.done : [this.words.retake, ...advice].join(" "));
  }

  private reason(error: unknown): string {
    const { words } = this;
    if (!globalThis.isSecureContext) return words.insecure;
    switch (error instanceof Error || error instanceof DOMException ? error.name : "") {
      case "AbortError":
        return words.stopped;
      case "NotAllowedError":
        return words.denied;
      case "NotFoundError":
      case "OverconstrainedError":
        return words.noCamera;
      default:
        return `${words.failed} ${error instanceof Error ? error.message : ""}`.trim();
    }
  }

  private say(text: string): void {
    const status = this.find("status");
    if (status.textContent !== text) status.textContent = text; // a live region: said once
  }

  private emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  private find(part: string): HTMLElement {
    return this.root.querySelector<HTMLElement>(`[part=${part}]`)!;
  }
}

function made(name: string, text: string): HTMLElement {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

if (!customElements.get("beam-measure")) customElements.define("beam-measure", BeamMeasure);

declare global {
  interface HTMLElementTagNameMap {
    "beam-measure": BeamMeasure;
  }
}

import { lockSettled } from "./camera.js";
import { measure, type MeasureOptions } from "./measure.js";
import type { Guidance, Partial, Progress, Result } from "./results.js";

type Callbacks = "signal" | "onProgress" | "onPartial" | "onGuidance" | "onFace";

export interface MeasurementOptions extends Omit<MeasureOptions, Callbacks> {
  /** Shows the camera's picture; by default one that is not on the page. */
  readonly video?: HTMLVideoElement;
  readonly camera?: MediaTrackConstraints;
  /** Fix exposure and white balance a second after a face is seen, where the camera can; by default true. */
  readonly lock?: boolean;
}

export interface MeasurementEvents {
  progress: CustomEvent<Progress>;
  partial: CustomEvent<Partial>;
  guidance: CustomEvent<readonly Guidance[]>;
  face: CustomEvent<readonly (readonly [number, number])[] | null>;
  measurement: CustomEvent<Result>;
}

const CAMERA: MediaTrackConstraints = {
  facingMode: "user",
  width: { ideal: 640 },
  height: { ideal: 480 },
  frameRate: { ideal: 30 },
};

/** One measurement by the camera, with events: `progress`, `partial`, `guidance`, `face` and `measurement`. */
export class Measurement extends EventTarget {
  readonly video: HTMLVideoElement;
  private readonly abort = new AbortController();
  private stream: MediaStream | null = null;
  private mayLock = true;

  constructor(private readonly options: MeasurementOptions) {
    super();
    this.video = options.video ?? document.createElement("video");
  }

  /** Open the camera, measure, and close it. Throws what getUserMedia throws, BeamError, or an AbortError when stopped. */
  async run(): Promise<Result> {
    const { video, abort } = this;
    abort.signal.throwIfAborted();
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: this.options.camera ?? CAMERA });
      abort.signal.throwIfAborted();
      for (const track of this.stream.getTracks()) track.addEventListener("ended", () => this.stop("The camera ended."));
      Object.assign(video, { muted: true, playsInline: true, srcObject: this.stream });
      await video.play();
      const result = await measure(video, {
        ...this.options,
        signal: abort.signal,
        onProgress: (progress) => this.emit("progress", progress),
        onPartial: (partial) => this.emit("partial", partial),
        onGuidance: (codes) => this.emit("guidance", codes),
        onFace: (landmarks) => {
          if (landmarks) this.lock();
          this.emit("face", landmarks);
        },
      });
      this.emit("measurement", result);
      return result;
    } finally {
      for (const track of this.stream?.getTracks() ?? []) track.stop();
      this.stream = null;
      video.srcObject = null;
    }
  }

  /** End it without a result. */
  stop(reason = "The measurement was stopped."): void {
    this.abort.abort(new DOMException(reason, "AbortError"));
  }

  on<Name extends keyof MeasurementEvents>(name: Name, listener: (event: MeasurementEvents[Name]) => void): this {
    this.addEventListener(name, listener as EventListener);
    return this;
  }

  private lock(): void {
    const track = this.stream?.getVideoTracks()[0];
    if (track && this.mayLock && (this.options.lock ?? true)) void lockSettled(this.video, track);
    this.mayLock = false;
  }

  private emit<Name extends keyof MeasurementEvents>(name: Name, detail: MeasurementEvents[Name]["detail"]): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

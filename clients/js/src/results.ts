/** What to change in the picture; docs/api.md says when each is seen. */
export type Guidance =
  | "NO_FACE" | "FACE_TOO_SMALL" | "FACE_OFF_CENTRE" | "SEVERAL_FACES" | "TOO_DARK" | "TOO_BRIGHT" | "UNEVEN_LIGHT"
  | "MOTION" | "LOW_FRAME_RATE" | "EVENLY_SLOW_FRAMES" | "NO_PULSE" | "SHORT_FOR_HRV";

export type Verdict = "release" | "retake" | "no_pulse";
export type Vital = "heart_rate" | "hrv" | "spo2" | "stress_index" | "respiration_rate";

interface Answer {
  readonly session_id: string;
  readonly frames: number;
  readonly duration_ms: number;
  readonly timestamp: string;
  readonly guidance: readonly Guidance[];
  readonly face: {
    readonly box: readonly number[];
    readonly landmarks: readonly (readonly [number, number])[];
    readonly timestamp_ms: number;
  } | null;
}

export interface Partial {
  /** Beats a minute; null while the confidence is low. */
  readonly heart_rate: number | null;
  readonly confidence: number;
  /** The pulse of the newest 5 s, its greatest height 1. */
  readonly ppg: readonly number[];
  readonly sampling_rate: number;
}

/** The answer while the window is filling. */
export interface Progress extends Answer {
  readonly status: "buffering";
  readonly progress: number;
  readonly partial: Partial | null;
  readonly restarted: boolean;
}

/** Vital signs with their evidence, of a window or of a video. One that the signal does not support is null. */
export interface VitalSigns {
  readonly heart_rate: number | null;
  /** RMSSD in ms. */
  readonly hrv: number | null;
  readonly spo2: number | null;
  readonly stress_index: number | null;
  readonly respiration_rate: number | null;
  readonly confidence: number;
  readonly verdict: Verdict;
  readonly quality: Readonly<Record<string, number | null>>;
  readonly withheld: Readonly<Record<string, string>>;
  readonly interval: Readonly<Record<string, readonly [number, number] | null>>;
}

/** The answer when the window is full: docs/api.md describes each field. A vital without a value is null, with a reason. */
export interface Result extends Answer, VitalSigns {
  readonly status: "complete";
  readonly measurement_id: string;
  readonly frame_rate: number;
  readonly hrv_details: Readonly<Record<string, number | null>>;
  readonly raw?: Readonly<Record<string, unknown>>;
  /** Earlier measurements of the same request, oldest first, if it passed several strides. */
  readonly results?: readonly Result[];
}

/** Why a measurement ended without a result. */
export class BeamError extends Error {
  override readonly name: string = "BeamError";

  constructor(
    message: string,
    /** The service's code, or one of `CONNECTION_LOST`, `INVALID_ANSWER`, `VIDEO_ENDED`, `READER_FAILED`. */
    readonly code: string,
    readonly status = 0,
    readonly guidance: readonly Guidance[] = [],
    readonly requestId: string | null = null,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

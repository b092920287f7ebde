import type { Guidance, Vital } from "./results.js";

/** What `<beam-measure>` says; set `element.words` to say it in another language. */
export interface Words {
  readonly start: string;
  readonly stop: string;
  readonly again: string;
  readonly privacy: string;
  readonly opening: string;
  readonly measuring: string;
  readonly progress: string;
  readonly rate: string;
  readonly done: string;
  readonly retake: string;
  readonly stopped: string;
  readonly denied: string;
  readonly noCamera: string;
  readonly insecure: string;
  readonly failed: string;
  readonly none: string;
  readonly vitals: Readonly<Record<Vital, readonly [string, string]>>;
  readonly guidance: Readonly<Record<Guidance, string>>;
}

export const ENGLISH: Words = {
  start: "Start the camera",
  stop: "Stop",
  again: "Measure again",
  privacy: "The picture stays on this device.",
  opening: "Opening the camera.",
  measuring: "Measuring: sit still, with light on your face.",
  progress: "Progress",
  rate: "beats a minute",
  done: "Done.",
  retake: "No reliable result. Measure again.",
  stopped: "Stopped.",
  denied: "The camera was denied. Allow it in the browser's settings of this page.",
  noCamera: "There is no camera here.",
  insecure: "The camera works on secure pages only: open this page by HTTPS.",
  failed: "The measurement failed.",
  none: "not found",
  vitals: {
    heart_rate: ["Heart rate", "/min"],
    hrv: ["Heart rate variability", "ms"],
    spo2: ["Oxygen saturation (estimate)", "%"],
    stress_index: ["Stress index", ""],
    respiration_rate: ["Respiration", "/min"],
  },
  guidance: {
    NO_FACE: "No face is seen.",
    FACE_TOO_SMALL: "Come nearer.",
    FACE_OFF_CENTRE: "Move your face to the middle.",
    SEVERAL_FACES: "Be alone in the picture.",
    TOO_DARK: "More light on your face.",
    TOO_BRIGHT: "Less light on your face.",
    UNEVEN_LIGHT: "Turn so that the light falls on both cheeks.",
    MOTION: "Keep your head still.",
    LOW_FRAME_RATE: "The camera is slow: more light, or fewer programs beside this one.",
    EVENLY_SLOW_FRAMES: "The camera is slow: more light, or fewer programs beside this one.",
    NO_PULSE: "No pulse could be seen.",
    SHORT_FOR_HRV: "",
  },
};

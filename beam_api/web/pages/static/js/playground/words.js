// What codes mean to the person before the camera.

/** Ends of the scale a value is shown on, and what is typical of adults at rest; `tolerance` is that of its quality. */
export const VITALS = [
  { name: "heart_rate", label: "Heart rate", unit: "bpm", scale: [40, 180], typical: [60, 100], tolerance: "2 bpm" },
  { name: "hrv", label: "HRV (RMSSD)", unit: "ms", scale: [0, 120], typical: [19, 75], tolerance: "10 ms" },
  { name: "respiration_rate", label: "Respiration", unit: "/min", scale: [4, 36], typical: [12, 20], tolerance: "2 breaths a minute" },
  {
    name: "stress_index",
    label: "Stress (Baevsky)",
    unit: "",
    scale: [0, 600],
    typical: [50, 150],
    tolerance: "30 %",
    note: "Higher in a short window than over five minutes.",
  },
  { name: "spo2", label: "SpO₂, estimate", unit: "%", scale: [85, 100], typical: [95, 100], tolerance: "3 points", note: "Uncalibrated." },
];

export const VERDICTS = { release: "Good to use", retake: "Better measure again", no_pulse: "No pulse found" };

const GUIDANCE = {
  NO_FACE: "No face in the picture: look into the camera.",
  FACE_TOO_SMALL: "Come closer to the camera.",
  EYES_HIDDEN: "Something hides the eyes: take dark glasses off.",
  MOUTH_HIDDEN: "Something hides the lower face: take a mask off.",
  FACE_HIDDEN: "Something hides the face.",
  FACE_OFF_CENTRE: "Move to the middle of the picture.",
  SEVERAL_FACES: "Another face is in the picture: be alone before the camera.",
  TOO_DARK: "It is too dark: turn to a light.",
  TOO_BRIGHT: "It is too bright: move away from the light.",
  UNEVEN_LIGHT: "One side of the face is much brighter: face the light.",
  MOTION: "Keep your head still.",
  LOW_FRAME_RATE: "Too few frames a second arrive: better light or a faster connection helps.",
  EVENLY_SLOW_FRAMES: "Frames come too slowly to tell a pulse.",
  NO_PULSE: "No pulse could be believed.",
  SHORT_FOR_HRV: "The window is too short for heart-rate variability.",
};

const WITHHELD = {
  WINDOW_TOO_SHORT: "needs a longer window",
  LOW_SIGNAL: "the signal is too weak to be believed",
  MOTION: "the head moved too much",
  LOW_FRAME_RATE: "too few frames a second",
  IRREGULAR_BEATS: "the beats are too irregular",
  NOT_MEASURED: "could not be measured",
};

/** Why nothing is sent for a while. */
export function waiting({ code, seconds }) {
  switch (code) {
    case "CONNECTION_LOST":
      return "The connection is lost. The measurement goes on when it is back.";
    case "ANALYSING":
      return "The window is full and being analysed.";
    case "RATE_LIMITED":
      return `Too many requests: going on in ${Math.ceil(seconds)} s.`;
    default:
      return `The service is busy: going on in ${Math.ceil(seconds)} s.`;
  }
}

export const PRIVACY = {
  colours: "Your picture stays on this device: this page reads the colours of your skin, and sends those numbers alone.",
  frames: "Frames of you go to this service, and are dropped as soon as their colours are read.",
  simulated: "A simulated face is measured: no camera is used.",
};

export const advice = (codes) => codes.map((code) => GUIDANCE[code] ?? code).join(" ");

export const reason = (code) => WITHHELD[code] ?? code ?? "not given";

export function cameraTrouble(error) {
  switch (error?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "The camera was denied. Allow it for this page in the browser's address bar, and start again; or use the simulated face.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "There is no camera here. Plug one in, or use the simulated face.";
    case "NotReadableError":
    case "AbortError":
      return "The camera is in use by another program. Close that, and start again.";
    case "InsecureContext":
      return "Browsers give a camera only to pages from HTTPS or from localhost. Use the simulated face, or serve this page with a certificate.";
    default:
      return "The camera could not be started. Use the simulated face, or try another browser.";
  }
}

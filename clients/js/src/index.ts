export { missingFeature } from "./support.js";
export { lockCamera, unlockCamera, type Locked } from "./camera.js";
export type { FrameSource } from "./frames.js";
export type { Wait } from "./sender.js";
export { measure, type MeasureOptions } from "./measure.js";
export { Measurement, type MeasurementEvents, type MeasurementOptions } from "./measurement.js";
export { BeamError } from "./results.js";
export type { Guidance, Partial, Progress, Result, Verdict, Vital } from "./results.js";
export type { Sample } from "./sample.js";

export { missingFeature } from "./support.js";
export { measure } from "./measure.js";
export { Measurement } from "./measurement.js";
export { BeamError } from "./results.js";

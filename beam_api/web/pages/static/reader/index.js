export { missingFeature } from "./support.js";
export { lockCamera, unlockCamera } from "./camera.js";
export { measure } from "./measure.js";
export { Measurement } from "./measurement.js";
export { BeamError } from "./results.js";

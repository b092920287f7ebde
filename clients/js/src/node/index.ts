/** For servers, with Node 20 or newer: frames and videos are sent to the service, which reads the face. */
export { measureFrames, type Frame, type FrameOptions } from "./frames.js";
export { cancelScan, scan, scanStatus, type ScanJob, type ScanOptions, type ScanResult } from "./scan.js";
export type { ClientOptions } from "./exchange.js";
export { BeamError } from "../results.js";
export {
  ConfigurationError, Conflict, FramesEnded, InvalidImage, InvalidKey, InvalidRequest, MissingKey, NoFace, NotFound, RateLimited,
  ScanFailed, ServiceError, ServiceUnavailable, ServiceUnreachable, SourceError, TimedOut, TooLarge, UnexpectedAnswer, UnusableVideo,
} from "./errors.js";
export type { Guidance, Partial, Progress, Result, Verdict, Vital } from "../results.js";

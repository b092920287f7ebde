import { BeamError, type Guidance } from "../results.js";

/** No API key was given, and BEAM_API_KEY is not set. */
export class MissingKey extends BeamError {
  override readonly name = "MissingKey";
}

/** An address or a key that can't be one. */
export class ConfigurationError extends BeamError {
  override readonly name = "ConfigurationError";
}

/** What should be measured can't be read. */
export class SourceError extends BeamError {
  override readonly name = "SourceError";
}

/** No connection to the service, or no answer in time. */
export class ServiceUnreachable extends BeamError {
  override readonly name = "ServiceUnreachable";
}

/** Something other than Beam answers at this address. */
export class UnexpectedAnswer extends BeamError {
  override readonly name = "UnexpectedAnswer";
}

/** The frames ended before one of them was buffered. */
export class FramesEnded extends BeamError {
  override readonly name = "FramesEnded";
}

/** The video was analysed, without a result. The message is the service's reason. */
export class ScanFailed extends BeamError {
  override readonly name = "ScanFailed";

  constructor(message: string, readonly sessionId: string) {
    super(message, "SCAN_FAILED");
  }
}

/** A scan took longer than the caller wanted to wait. `scanStatus(sessionId)` asks again. */
export class TimedOut extends BeamError {
  override readonly name = "TimedOut";

  constructor(message: string, readonly sessionId: string) {
    super(message, "TIMED_OUT");
  }
}

/** The service refused a request; `status` is the answer's. */
export class ServiceError extends BeamError {
  override readonly name: string = "ServiceError";
}

/** 401: the key is unknown, revoked or expired. */
export class InvalidKey extends ServiceError {
  override readonly name = "InvalidKey";
}

/** 429: no requests are left until `retryAfterS` seconds from now. */
export class RateLimited extends ServiceError {
  override readonly name = "RateLimited";
}

/** No frame shows a face that can be measured; `guidance` says what to change. */
export class NoFace extends ServiceError {
  override readonly name = "NoFace";
}

/** A picture that is no JPEG or PNG, has no colour, or is broken. */
export class InvalidImage extends ServiceError {
  override readonly name = "InvalidImage";
}

/** 400: a parameter out of its range. */
export class InvalidRequest extends ServiceError {
  override readonly name = "InvalidRequest";
}

/** 404: the service knows no such thing, or it belongs to another key. */
export class NotFound extends ServiceError {
  override readonly name = "NotFound";
}

/** 409: the scan session already has a video. */
export class Conflict extends ServiceError {
  override readonly name = "Conflict";
}

/** 413: a frame, a request or a video over the service's limits. */
export class TooLarge extends ServiceError {
  override readonly name = "TooLarge";
}

/** 422: a video that can't be measured. */
export class UnusableVideo extends ServiceError {
  override readonly name = "UnusableVideo";
}

/** 503: the service can't work until `retryAfterS` seconds from now. */
export class ServiceUnavailable extends ServiceError {
  override readonly name = "ServiceUnavailable";
}

const BY_CODE: Readonly<Record<string, typeof ServiceError>> = {
  NO_FACE_DETECTED: NoFace,
  UNSUPPORTED_IMAGE: InvalidImage,
  INVALID_IMAGE: InvalidImage,
};
const BY_STATUS: Readonly<Record<number, typeof ServiceError>> = {
  400: InvalidRequest,
  401: InvalidKey,
  404: NotFound,
  409: Conflict,
  413: TooLarge,
  422: UnusableVideo,
  429: RateLimited,
  503: ServiceUnavailable,
};

/** The body of an answer, good or not, of either API. */
export interface Body {
  readonly data?: unknown;
  readonly error?: { readonly code?: string; readonly message?: string; readonly guidance?: readonly Guidance[] } | string | null;
  readonly detail?: unknown;
  readonly meta?: { readonly request_id?: string };
}

/** The error for an answer of either API. */
export function serviceError(answer: Response, body: Body, retryAfterS: number | null): ServiceError {
  const error = typeof body.error === "object" && body.error ? body.error : {};
  const kind = BY_CODE[error.code ?? ""] ?? BY_STATUS[answer.status] ?? ServiceError;
  const message = error.message ?? (typeof body.detail === "string" ? body.detail : "The service refused the request.");
  const requestId = body.meta?.request_id ?? answer.headers.get("X-Request-Id");
  return new kind(message, error.code ?? "", answer.status, error.guidance ?? [], requestId, retryAfterS);
}

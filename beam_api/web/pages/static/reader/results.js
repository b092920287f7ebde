/** Why a measurement ended without a result. */
export class BeamError extends Error {
    code;
    status;
    guidance;
    requestId;
    retryAfterS;
    name = "BeamError";
    constructor(message, 
    /** The service's code, or one of `CONNECTION_LOST`, `INVALID_ANSWER`, `VIDEO_ENDED`, `READER_FAILED`. */
    code, status = 0, guidance = [], requestId = null, retryAfterS = null) {
        super(message);
        this.code = code;
        this.status = status;
        this.guidance = guidance;
        this.requestId = requestId;
        this.retryAfterS = retryAfterS;
    }
}

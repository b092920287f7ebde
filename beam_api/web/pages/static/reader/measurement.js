import { lockSettled } from "./camera.js";
import { measure } from "./measure.js";
const CAMERA = {
    facingMode: "user",
    width: { ideal: 640 },
    height: { ideal: 480 },
    frameRate: { ideal: 30 },
};
/** One measurement by the camera, with events: `progress`, `partial`, `guidance`, `face` and `measurement`. */
export class Measurement extends EventTarget {
    options;
    video;
    abort = new AbortController();
    stream = null;
    mayLock = true;
    constructor(options) {
        super();
        this.options = options;
        this.video = options.video ?? document.createElement("video");
    }
    /** Open the camera, measure, and close it. Throws what getUserMedia throws, BeamError, or an AbortError when stopped. */
    async run() {
        const { video, abort } = this;
        abort.signal.throwIfAborted();
        try {
            this.stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: this.options.camera ?? CAMERA });
            abort.signal.throwIfAborted();
            for (const track of this.stream.getTracks())
                track.addEventListener("ended", () => this.stop("The camera ended."));
            Object.assign(video, { muted: true, playsInline: true, srcObject: this.stream });
            await video.play();
            const result = await measure(video, {
                ...this.options,
                signal: abort.signal,
                onProgress: (progress) => this.emit("progress", progress),
                onPartial: (partial) => this.emit("partial", partial),
                onGuidance: (codes) => this.emit("guidance", codes),
                onFace: (landmarks) => {
                    if (landmarks)
                        this.lock();
                    this.emit("face", landmarks);
                },
            });
            this.emit("measurement", result);
            return result;
        }
        finally {
            for (const track of this.stream?.getTracks() ?? [])
                track.stop();
            this.stream = null;
            video.srcObject = null;
        }
    }
    /** End it without a result. */
    stop(reason = "The measurement was stopped.") {
        this.abort.abort(new DOMException(reason, "AbortError"));
    }
    on(name, listener) {
        this.addEventListener(name, listener);
        return this;
    }
    lock() {
        const track = this.stream?.getVideoTracks()[0];
        if (track && this.mayLock && (this.options.lock ?? true))
            void lockSettled(this.video, track);
        this.mayLock = false;
    }
    emit(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }
}

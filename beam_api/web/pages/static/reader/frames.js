const TOLERANCE_MS = 2;
/** Frames of a `<video>` with the times at which they were captured. */
export class VideoFrames {
    video;
    rate;
    context;
    clock = null;
    lastMs = -Infinity;
    dueMs = -Infinity;
    callback = 0;
    running = false;
    onFrame = () => { };
    isBusy = () => false;
    onEnd = () => { };
    constructor(video, 
    /** At most so many frames a second. */
    rate) {
        this.video = video;
        this.rate = rate;
        if (!("requestVideoFrameCallback" in video)) {
            throw new Error("This browser has no requestVideoFrameCallback; capture times would be wrong.");
        }
        // Read back in software: from a graphics card every frame would wait, and drivers convert colours their own way.
        const canvas = document.createElement("canvas");
        this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true, colorSpace: "srgb" });
        this.context.imageSmoothingEnabled = false;
    }
    start(take, isBusy, end) {
        Object.assign(this, { onFrame: take, isBusy, onEnd: end, running: true });
        this.video.addEventListener("ended", end);
        if (this.video.ended)
            end();
        this.next();
    }
    stop() {
        this.running = false;
        this.video.removeEventListener("ended", this.onEnd);
        this.video.cancelVideoFrameCallback(this.callback);
    }
    next() {
        this.callback = this.video.requestVideoFrameCallback((now, about) => {
            if (!this.running)
                return;
            this.next();
            this.take(now, about);
        });
    }
    take(now, about) {
        // One clock for all frames: two would differ by a constant, and that would be a jump.
        this.clock ??= about.captureTime !== undefined ? "captureTime" : Number.isFinite(about.mediaTime) ? "mediaTime" : "now";
        const timeMs = { captureTime: about.captureTime ?? NaN, mediaTime: 1000 * about.mediaTime, now }[this.clock];
        if (!Number.isFinite(timeMs) || timeMs < 0 || timeMs === this.lastMs)
            return;
        if (timeMs < this.lastMs)
            this.dueMs = -Infinity; // the video began again
        this.lastMs = timeMs;
        if (timeMs < this.dueMs - TOLERANCE_MS || this.isBusy())
            return;
        const step = 1000 / this.rate;
        this.dueMs = Math.max(this.dueMs + step, timeMs); // fewer frames than the camera's, at the wanted mean
        const { videoWidth: width, videoHeight: height } = this.video;
        if (!width || !height)
            return;
        const { canvas } = this.context;
        if (canvas.width !== width || canvas.height !== height)
            Object.assign(canvas, { width, height });
        this.context.drawImage(this.video, 0, 0, width, height);
        this.onFrame(timeMs, this.context.getImageData(0, 0, width, height));
    }
}

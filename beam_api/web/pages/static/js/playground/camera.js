// The camera; and frames from it, JPEG with the time at which each was captured.

const LONGEST_SIDE = 480; // pixels; a face of a fifth of that is plenty, and a second of frames stays small
const QUALITY = 0.92;
const MOST_ENCODING = 6; // frames on their way to JPEG; beyond that the machine is too slow, and frames are left out
const NEAREST_MS = 15; // more than 60 frames a second tell nothing more

export class Camera {
  /** @param {HTMLVideoElement} video  @param {((frame: {at: number, jpeg: Blob}) => void) | null} push  null: no frames are taken */
  constructor(video, push) {
    Object.assign(this, { video, push, gapMs: NEAREST_MS, encoding: 0, last: -Infinity, clock: null });
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
  }

  /** Ask for the camera and begin. Throws what getUserMedia throws, or an Error named InsecureContext. */
  async start(onEnd) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw Object.assign(new Error("no camera API"), { name: globalThis.isSecureContext ? "NotFoundError" : "InsecureContext" });
    }
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
    const [track] = this.stream.getVideoTracks();
    track.addEventListener("ended", onEnd);
    this.mirrored = track.getSettings().facingMode !== "environment";
    this.video.srcObject = this.stream;
    await this.video.play();
    if (this.push) this.next();
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  next() {
    if (!this.stream) return;
    if ("requestVideoFrameCallback" in this.video) {
      this.video.requestVideoFrameCallback((now, about) => {
        this.take(now, about);
        this.next();
      });
    } else {
      requestAnimationFrame((now) => {
        if (this.video.currentTime !== this.shown) this.take(now, {});
        this.shown = this.video.currentTime;
        this.next();
      });
    }
  }

  take(now, about) {
    const { video, canvas } = this;
    if (!this.stream || !video.videoWidth || this.encoding >= MOST_ENCODING) return;
    // One clock for all frames: two would differ by a constant, and that would be a jump.
    this.clock ??= about.captureTime !== undefined ? "captureTime" : about.mediaTime !== undefined ? "mediaTime" : "now";
    const at = { captureTime: about.captureTime, mediaTime: 1000 * about.mediaTime, now }[this.clock];
    if (!Number.isFinite(at) || at < 0 || at - this.last < this.gapMs) return;
    this.last = at;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.round(video.videoWidth * scale);
    const height = Math.round(video.videoHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.context.drawImage(video, 0, 0, width, height);
    this.encoding += 1;
    canvas.toBlob(
      (jpeg) => {
        this.encoding -= 1;
        if (jpeg && this.stream) this.push({ at, jpeg });
      },
      "image/jpeg",
      QUALITY,
    );
  }

  /** Send fewer frames a second; `ms` is the least time between two. */
  slowDown(ms) {
    this.gapMs = Math.max(NEAREST_MS, ms);
  }
}

import { fractions, writeSample } from "./sample.js";
import { VideoFrames } from "./frames.js";
import { ReadingWorker } from "./reading.js";
import { BeamError } from "./results.js";
import { send } from "./sender.js";
const BATCH_MS = 850;
const MOST_SAMPLES = 256;
const MOST_QUEUE_MS = 20_000;
const ABSENT_MS = 1000;
/**
 * Measure the person that a playing `<video>` shows: a camera's stream or a recording, of any origin that the page may read.
 * A source of frames of your own will do, too.
 * The face is read in a worker; mean colours leave the browser, and no image does.
 *
 * Throws BeamError, or what `signal` was aborted with.
 */
export async function measure(source, options) {
    const frames = source instanceof HTMLVideoElement ? new VideoFrames(source, options.maxRate ?? 20) : source;
    const session = new Session(frames, options);
    try {
        return await session.run();
    }
    finally {
        session.close();
    }
}
class Session {
    frames;
    options;
    worker;
    target;
    abort = new AbortController();
    queue = [];
    ended = false;
    faceMs = null;
    missing = null;
    size = [1, 1];
    last = null;
    wake = () => { };
    onEnd = () => {
        this.ended = true;
        this.wake();
    };
    onAbort = () => this.abort.abort(this.options.signal?.reason);
    constructor(frames, options) {
        this.frames = frames;
        this.options = options;
        this.worker = new ReadingWorker((read) => this.take(read), (message) => this.abort.abort(new BeamError(message, "READER_FAILED")));
        this.target = {
            url: options.url ?? location.origin,
            token: options.token,
            sessionId: options.sessionId,
            durationMs: options.durationMs ?? 30_000,
            includeRaw: options.includeRaw ?? false,
            includePartial: options.onPartial !== undefined,
            ...(options.strideMs && { strideMs: options.strideMs }),
            ...(options.onWait && { onWait: options.onWait }),
        };
    }
    async run() {
        const { signal } = this.options;
        signal?.throwIfAborted();
        signal?.addEventListener("abort", this.onAbort);
        this.abort.signal.addEventListener("abort", () => this.wake());
        await this.started();
        this.frames.start((timeMs, { data, width, height }) => this.worker.read({ timeMs, width, height, pixels: data.buffer }), () => this.worker.isBusy, this.onEnd);
        for (;;) {
            const batch = await this.batch();
            if (!batch.length)
                return this.finish();
            const answer = await this.post(batch);
            if (answer.status === "buffering")
                this.report(answer);
            else if (this.options.strideMs)
                this.keep(answer);
            else
                return answer;
        }
    }
    close() {
        this.options.signal?.removeEventListener("abort", this.onAbort);
        this.frames.stop();
        this.worker.stop();
        this.abort.abort();
    }
    started() {
        const { signal } = this.abort;
        return new Promise((resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason), { once: true });
            void this.worker.ready.then(resolve);
            if (signal.aborted)
                reject(signal.reason);
        });
    }
    /** Of a window that slides: one request may pass several strides. */
    keep(answer) {
        this.last = answer;
        for (const result of [...(answer.results ?? []), answer])
            this.options.onMeasurement?.(result);
    }
    take({ timeMs, width, height, result, workMs }) {
        const { onFace } = this.options;
        this.size = [width, height];
        onFace?.(result.landmarks && fractions(result.landmarks, width, height), workMs);
        for (const one of result.confirmed) {
            const face = fractions(one.landmarks, width, height);
            this.queue.push({ sample: writeSample(one.timeMs, one.reading), size: [width, height], face });
        }
        while (this.queue.length && timeMs - this.queue[0].sample.timestamp_ms > MOST_QUEUE_MS)
            this.queue.shift();
        this.watch(timeMs, result.status);
        if (result.confirmed.length)
            this.wake();
    }
    /** Say so if there has been no face for a while. */
    watch(timeMs, status) {
        if (status === "face") {
            this.faceMs = timeMs;
            this.missing = null;
            return;
        }
        this.faceMs ??= timeMs;
        const code = status === "GREY" ? "NO_FACE" : status;
        if (timeMs - this.faceMs < ABSENT_MS || this.missing === code)
            return;
        this.missing = code;
        this.options.onGuidance?.([code]);
    }
    /** About a second of samples; none when the video has ended. */
    async batch() {
        for (;;) {
            this.abort.signal.throwIfAborted();
            const [first, last] = [this.queue[0], this.queue.at(-1)];
            const spanMs = first && last ? last.sample.timestamp_ms - first.sample.timestamp_ms : 0;
            if (first && (spanMs >= BATCH_MS || this.ended)) {
                const other = this.queue.findIndex(({ size }) => size[0] !== first.size[0] || size[1] !== first.size[1]);
                return this.queue.splice(0, Math.min(other < 0 ? MOST_SAMPLES : other, MOST_SAMPLES));
            }
            if (this.ended)
                return [];
            await new Promise((resolve) => (this.wake = resolve));
        }
    }
    post(batch) {
        const samples = batch.map(({ sample }) => sample);
        const newest = batch.at(-1);
        samples[samples.length - 1] = { ...newest.sample, face: { landmarks: newest.face } };
        return send(this.target, newest.size, samples, this.abort.signal);
    }
    /** The recording has ended: what there is of it is measured. */
    async finish() {
        if (this.last)
            return this.last;
        try {
            const answer = await send(this.target, this.size, [], this.abort.signal, true);
            if (answer.status === "complete")
                return answer;
        }
        catch (error) {
            if (!(error instanceof BeamError) || error.status !== 404)
                throw error;
        }
        throw new BeamError("The video ended before a face was seen in it.", "VIDEO_ENDED");
    }
    report(answer) {
        this.options.onProgress?.(answer);
        if (answer.partial)
            this.options.onPartial?.(answer.partial);
        this.options.onGuidance?.(this.missing ? [this.missing, ...answer.guidance] : answer.guidance);
    }
}

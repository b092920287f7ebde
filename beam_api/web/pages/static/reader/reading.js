const MOST_WAITING = 3; // frames before the worker; beyond them the machine is too slow, and frames are left out
/** A worker that reads frames, and how many it has before it. */
export class ReadingWorker {
    worker;
    waiting = 0;
    ready;
    /** `onFail` is called when the worker can't be started, or breaks later. */
    constructor(onRead, onFail) {
        this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
        this.worker.onerror = (event) => onFail(event.message || "The reader's worker can't be started.");
        this.ready = new Promise((resolve) => {
            this.worker.onmessage = ({ data }) => {
                if (data.type === "ready")
                    return resolve();
                if (data.type === "failed")
                    return onFail(data.message);
                this.waiting -= 1;
                onRead(data);
            };
        });
    }
    get isBusy() {
        return this.waiting >= MOST_WAITING;
    }
    read(ask) {
        this.waiting += 1;
        this.worker.postMessage(ask, [ask.pixels]);
    }
    stop() {
        this.worker.terminate();
    }
}

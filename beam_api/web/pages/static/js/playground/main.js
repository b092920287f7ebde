// The playground: a source of frames, a sender, and what is shown of their work. One measurement at a time.

import { byId, call, Failure } from "../api.js";
import { Camera } from "./camera.js";
import { Sender } from "./sender.js";
import { SimulatedFace } from "./simulated.js";
import { playSample } from "../sample.js";
import { clearResults, showResults } from "./results.js";
import { showGuidance, showMode, showOutline, showProgress, showState } from "./view.js";
import { Wave } from "./wave.js";
import { cameraTrouble } from "./words.js";

const SLOW_MS = 60; // between frames, where the connection does not carry thirty a second
const SINGLE_SOURCE_MS = 150;
const SIMULATED_MOST_S = 30;

const { simulatedSeconds, simulatedRate } = byId("playground").dataset;
const wave = new Wave(byId("wave"));
let visitor = null; // {key, until}
let sample = null;
let lastSimulated = false;
let current = null; // {source, sender, session, key}

async function keyToUse() {
  const own = byId("own-key").value.trim();
  if (own) return own;
  if (!visitor || visitor.until < Date.now() + 120_000) {
    const { data } = await call("POST", "/playground/key");
    visitor = { key: data.key, until: Date.parse(data.expires_at) };
  }
  return visitor.key;
}

function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `visit-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function trouble(error) {
  if (error.status === 401) {
    const own = byId("own-key").value.trim();
    visitor = null;
    return own ? "Your key is unknown, revoked or expired." : "The visitor's key has expired or was revoked. Start again for a new one.";
  }
  if (error.status === 429) return `Too many visits from your address. Try again in ${Math.ceil((error.retryAfter ?? 60) / 60)} min.`;
  return error instanceof Failure ? error.message : "Something went wrong on this page.";
}

function end(text, options) {
  const ended = current;
  current = null;
  ended?.source?.stop();
  ended?.sender?.stop();
  ended?.lock?.release?.().catch(() => {});
  showOutline(null);
  showState(text, options);
  if (byId("running").contains(document.activeElement) || byId("stop") === document.activeElement) byId("content").focus();
  showMode(options?.done ? "result" : "idle");
  if (ended?.sender) forget(ended);
}

/** Nothing of a visit is left at the service when it is over. */
function forget({ key, session }) {
  call("DELETE", `/api/rppg/sessions/${session}`, { key, keepalive: true }).catch(() => {});
}

function onAnswer(run, data) {
  if (current !== run) return;
  showGuidance(data.guidance);
  if (data.status === "no face") {
    showOutline(null);
    return;
  }
  showOutline(data.face);
  if (data.restarted) {
    wave.clear();
    run.rate = null;
  }
  if (data.partial) {
    run.rate = data.partial.heart_rate;
    const ppg = String(data.partial.ppg); // it comes again until the next one is found
    if (ppg && ppg !== run.ppg) wave.show(data.partial.ppg, data.partial.sampling_rate);
    run.ppg = ppg;
  }
  byId("wave-caption").textContent = Number.isFinite(run.rate) ? "Pulse, the newest seconds" : "Pulse: none seen yet";
  showProgress(data.progress, run.rate);
  const anew = data.restarted ? "Begun anew after the pause. " : "";
  const detail = `${anew}${(data.duration_ms / 1000).toFixed(0)} of ${run.seconds} s, ${data.frames} frames`;
  showState(document.hidden ? "Paused while this tab is hidden." : "Measuring: sit still.", { detail });
}

function onComplete(run, data) {
  const text = data.heart_rate === null ? "Done: no heart rate could be believed." : `Done: ${data.heart_rate} beats a minute.`;
  end(text, { done: true });
  byId("now-camera").hidden = !run.simulated;
  lastSimulated = run.simulated;
  showResults(data, run.simulated ? simulatedRate : null);
  byId("results-title").focus();
}

async function begin(simulated) {
  const seconds = Number(byId("seconds").value);
  const run = { session: newSession(), simulated, seconds: simulated ? Math.min(seconds, SIMULATED_MOST_S) : seconds };
  current = run;
  sample?.pause();
  showMode("running");
  scrollTo(0, 0);
  clearResults();
  wave.clear();
  showGuidance([]);
  showProgress(0, NaN);
  showState(simulated ? "Fetching the simulated face." : "Waiting for the camera: your browser asks whether it may be used.");
  const push = (frame) => run.sender?.push(frame);
  run.source = simulated
    ? new SimulatedFace(byId("still"), push, Number(simulatedSeconds))
    : new Camera(byId("video"), push);
  try {
    if (!simulated) {
      await run.source.start(() => current === run && end("The camera has stopped.", { bad: true }));
      if (current !== run) return run.source.stop();
      const { videoWidth, videoHeight } = byId("video");
      byId("frame").style.setProperty("--ratio", videoWidth / videoHeight);
    }
    byId("frame").classList.toggle("mirror", !simulated && run.source.mirrored);
    byId("video").hidden = simulated;
    byId("still").hidden = !simulated;
    run.key = await keyToUse();
  } catch (error) {
    if (current === run) end(error instanceof Failure ? trouble(error) : cameraTrouble(error), { bad: true });
    return;
  }
  if (current !== run) return;
  const single = byId("single").checked;
  if (single) run.source.slowDown(SINGLE_SOURCE_MS);
  run.sender = new Sender(
    { key: run.key, session: run.session, seconds: run.seconds, single },
    {
      answer: (data) => onAnswer(run, data),
      busy: (text) => current === run && showState(text),
      slow: () => run.source.slowDown(SLOW_MS),
    },
  );
  if (simulated) {
    byId("frame").style.setProperty("--ratio", 368 / 338);
    run.source.start((error) => current === run && end(trouble(error), { bad: true }));
  }
  showState("Measuring: sit still.");
  run.lock = await navigator.wakeLock?.request("screen").catch(() => null);
  try {
    onComplete(run, await run.sender.run());
  } catch (error) {
    if (current === run) end(trouble(error), { bad: true });
  }
}

byId("again").addEventListener("click", () => begin(lastSimulated));
byId("now-camera").addEventListener("click", () => begin(false));
byId("start").addEventListener("click", () => begin(false));
byId("simulate").addEventListener("click", () => begin(true));
byId("stop").addEventListener("click", () => {
  end("Stopped.");
  byId("start").focus();
});
document.addEventListener("visibilitychange", () => {
  if (current?.sender && !current.simulated) {
    showState(document.hidden ? "Paused while this tab is hidden." : "Measuring: sit still.");
  }
});
addEventListener("pagehide", () => {
  if (current) end("Stopped.");
});

playSample(byId("sample")).then((played) => {
  sample = played;
  if (current) sample?.pause();
});

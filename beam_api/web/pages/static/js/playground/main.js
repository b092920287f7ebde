// The playground: a source of frames, a sender, and what is shown of their work. One measurement at a time.

import { byId, Failure } from "../api.js";
import { dropVisitor, forget, keyToUse, newSession, ownKey, trouble } from "./access.js";
import { Camera } from "./camera.js";
import { ColourSender, missing } from "./colours.js";
import { Sender } from "./sender.js";
import { SimulatedFace } from "./simulated.js";
import { playSample } from "../sample.js";
import { clearResults, showResults } from "./results.js";
import { setText, showGuidance, showMode, showOutline, showProgress, showState } from "./view.js";
import { Trend } from "./trend.js";
import { Wave } from "./wave.js";
import { cameraTrouble, PRIVACY } from "./words.js";

const SLOW_MS = 60; // between frames, where the connection does not carry thirty a second
const SINGLE_SOURCE_MS = 150;
const SIMULATED_MOST_S = 30;
const SIMULATED_KEPT_S = 15; // of its half minute, so that a trend can be seen
const STRIDE_S = 5;

const { simulatedSeconds, simulatedRate } = byId("playground").dataset;
const wave = new Wave(byId("wave"));
const trend = new Trend();
let sample = null;
let lastSimulated = false;
let current = null; // {source, sender, session, key, …}
let lacking = null; // what this browser has not, and reading faces needs

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
  showPrivacy();
  if (ended?.sender) forget(ended);
}

const clock = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

/** What to change while it runs: of a window's length nothing can be changed then. */
const showRunningGuidance = (codes) => showGuidance(codes.filter((code) => code !== "SHORT_FOR_HRV"));

function onAnswer(run, data) {
  if (current !== run) return;
  showRunningGuidance(data.guidance);
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
  byId("wave-caption").textContent = Number.isFinite(run.rate) ? "Pulse, live" : "Pulse: none seen yet";
  showProgress(data.progress, run.rate);
  const anew = data.restarted ? "Begun anew after the pause. " : "";
  const detail = run.last ? `${clock(performance.now() - run.begunMs)}, ${data.frames} frames in the window` : `${anew}${(data.duration_ms / 1000).toFixed(0)} of ${run.seconds} s, ${data.frames} frames`;
  showState(document.hidden ? "Paused while this tab is hidden." : "Measuring: sit still.", { detail });
}

function onResult(run, data) {
  if (current !== run) return;
  run.last = data;
  // The simulated face goes faster than a clock.
  const seconds = run.simulated ? run.seconds + run.stride * run.results : (performance.now() - run.begunMs) / 1000;
  trend.add(data, seconds);
  run.results += 1;
  run.rate = data.heart_rate ?? NaN;
  showRunningGuidance(data.guidance);
  showProgress(1, run.rate);
}

function onComplete(run, data, why = "Done") {
  const text = data.heart_rate === null ? `${why}: no heart rate could be believed.` : `${why}: ${data.heart_rate} beats a minute.`;
  end(text, { done: true });
  byId("now-camera").hidden = !run.simulated;
  lastSimulated = run.simulated;
  showResults(data, { truth: run.simulated ? simulatedRate : null, colours: run.colours });
  byId("results-title").focus();
}

function makeSender(run) {
  const on = {
    answer: (data) => onAnswer(run, data),
    result: (data) => onResult(run, data),
    guidance: (codes) => current === run && onGuidance(codes),
    busy: (text) => current === run && showState(text),
    slow: () => run.source.slowDown(SLOW_MS),
  };
  if (!run.colours) return new Sender(run, on);
  return new ColourSender(run.simulated ? run.source.source() : byId("video"), run, on);
}

function onGuidance(codes) {
  showGuidance(codes);
  if (codes.includes("NO_FACE")) showOutline(null);
}

/** The camera or the simulated face, ready to give frames. */
async function open(run) {
  if (run.simulated) {
    run.source = new SimulatedFace(byId("still"), (frame) => run.sender?.push(frame), Number(simulatedSeconds), {
      end: () => run.sender?.end(),
      failure: (error) => current === run && end(trouble(error), { bad: true }),
    });
    byId("frame").style.setProperty("--ratio", 368 / 338);
  } else {
    run.source = new Camera(byId("video"), run.colours ? null : (frame) => run.sender?.push(frame));
    await run.source.start(() => current === run && end("The camera has stopped.", { bad: true }));
    if (current !== run) return run.source.stop();
    const { videoWidth, videoHeight } = byId("video");
    byId("frame").style.setProperty("--ratio", videoWidth / videoHeight);
  }
  byId("frame").classList.toggle("mirror", !run.simulated && run.source.mirrored);
  byId("video").hidden = run.simulated;
  byId("still").hidden = !run.simulated;
  run.key = await keyToUse();
}

/** Measure until it is done. A visitor's key that ends while it goes on is replaced, with a new window. */
async function measured(run) {
  for (;;) {
    run.sender = makeSender(run);
    if (run.simulated && !run.colours) run.source.play();
    try {
      return await run.sender.run();
    } catch (error) {
      if (error.status !== 401 || !run.stride || run.simulated || ownKey() || current !== run) throw error;
      run.sender.stop();
      dropVisitor();
      Object.assign(run, { key: await keyToUse(), session: newSession() });
      if (current !== run) throw error;
    }
  }
}

function wanted(simulated) {
  const [keep, single] = [byId("keep").checked, byId("single").checked];
  const colours = !byId("frames").checked;
  const most = !simulated ? Infinity : keep ? SIMULATED_KEPT_S : SIMULATED_MOST_S;
  const seconds = Math.min(Number(byId("seconds").value), most);
  return { session: newSession(), simulated, seconds, colours, single: single && !colours, stride: keep ? STRIDE_S : 0, results: 0, begunMs: performance.now() };
}

async function begin(simulated) {
  const run = wanted(simulated);
  current = run;
  sample?.pause();
  showMode("running");
  showPrivacy();
  scrollTo(0, 0);
  clearResults();
  trend.clear();
  wave.clear();
  showGuidance([]);
  showProgress(0, NaN);
  showState(simulated ? "Fetching the simulated face." : "Waiting for the camera: your browser asks whether it may be used.");
  try {
    await open(run);
  } catch (error) {
    byId("operator").hidden &&= error.name !== "InsecureContext";
    if (current === run) end(error instanceof Failure ? trouble(error) : cameraTrouble(error), { bad: true });
    return;
  }
  if (current !== run) return;
  if (run.single) run.source.slowDown(SINGLE_SOURCE_MS);
  showState("Measuring: sit still.");
  run.lock = await navigator.wakeLock?.request("screen").catch(() => null);
  try {
    const data = await measured(run);
    if (current === run) onComplete(run, data);
  } catch (error) {
    if (current === run) end(trouble(error), { bad: true });
  }
}

function stop() {
  if (current?.last) return onComplete(current, current.last, "Stopped");
  end("Stopped.");
  byId("start").focus();
}

/** What leaves the device. A browser that can't read faces may be found out while it runs: the run decides then. */
function showPrivacy() {
  const simulated = current?.simulated ?? false;
  const kind = simulated ? "simulated" : byId("frames").checked ? "frames" : "colours";
  setText("privacy", `${lacking && kind === "frames" ? `This browser has no ${lacking}. ` : ""}${PRIVACY[kind]}`);
  byId("frames").disabled = Boolean(current || lacking);
  byId("single").disabled = Boolean(current) || !byId("frames").checked;
}

byId("again").addEventListener("click", () => begin(lastSimulated));
byId("now-camera").addEventListener("click", () => begin(false));
byId("start").addEventListener("click", () => begin(false));
byId("simulate").addEventListener("click", () => begin(true));
byId("stop").addEventListener("click", stop);
byId("frames").addEventListener("change", () => showPrivacy());
document.addEventListener("visibilitychange", () => {
  if (current?.sender && !current.simulated) {
    showState(document.hidden ? "Paused while this tab is hidden." : "Measuring: sit still.");
  }
});
addEventListener("pagehide", () => {
  if (current) end("Stopped.");
});

// Some browsers can't read faces. Then frames are sent, which is said before anything starts.
missing().then(
  (feature) => {
    lacking = feature;
    if (lacking) byId("frames").checked = true;
    showPrivacy();
  },
  () => {},
);
byId("operator").hidden = globalThis.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);

playSample(byId("sample")).then((played) => {
  sample = played;
  if (current) sample?.pause();
});

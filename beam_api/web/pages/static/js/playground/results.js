// The result: tiles, verdict, the wave with its beats, listings and downloads.

import { byId } from "../api.js";
import { asCsv, asJson, COLOUR_LISTINGS, LISTINGS } from "./code.js";
import { score, tiles } from "./tiles.js";
import { setText } from "./view.js";
import { Wave } from "./wave.js";
import { advice, VERDICTS } from "./words.js";

const NOTICE = "Not a medical device.";
const wave = new Wave(byId("result-wave"));
const tabs = [...document.querySelectorAll("[role=tab]")];
let measured = null;
let listings = LISTINGS;

export function showResults(data, { truth, colours }) {
  measured = data;
  listings = colours ? COLOUR_LISTINGS : LISTINGS;
  byId("vitals").replaceChildren(...tiles(data));
  setText("verdict", VERDICTS[data.verdict] ?? data.verdict);
  byId("verdict").classList.toggle("bad", data.verdict !== "release");
  const advised = advice(data.guidance);
  setText(
    "summary",
    `${data.frames} frames in ${(data.duration_ms / 1000).toFixed(1)} s, confidence ${score(data.confidence)}. ` +
      (truth ? `The simulation has ${truth} beats a minute. ` : "") +
      (advised ? `${advised} ` : "") +
      NOTICE,
  );
  select(tabs[0]);
  byId("results").hidden = false;
  const { ppg = [], sampling_rate: fs = 1, beats_ms: beats = [] } = data.raw ?? {};
  const seen = data.heart_rate !== null;
  setText("result-wave-caption", seen ? `Pulse over the whole window, ${beats.length} beats` : "No believable pulse");
  if (seen) wave.finish(ppg, fs, beats.map((ms) => ms / 1000));
  else wave.clear();
}

export function clearResults() {
  measured = null;
  byId("results").hidden = true;
  byId("vitals").replaceChildren();
  setText("code", "");
}

function select(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
  }
  byId("code-panel").setAttribute("aria-labelledby", tab.id);
  setText("code", listings[tab.id.slice("tab-".length)](measured));
}

function download(text, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const fileName = (ending) => `${measured.measurement_id}.${ending}`;

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const next = key === "Home" ? tabs[0] : key === "End" ? tabs.at(-1) : step && tabs.at((index + step) % tabs.length);
    if (!next) return;
    select(next);
    next.focus();
  });
}
byId("download-json").addEventListener("click", () => download(asJson(measured), "application/json", fileName("json")));
byId("download-csv").addEventListener("click", () => download(asCsv(measured), "text/csv", fileName("csv")));
byId("print").addEventListener("click", () => print());

// What the page shows of a running measurement. It knows nothing of cameras or requests.

import { byId } from "../api.js";
import { drawOutline } from "../outline.js";
import { advice } from "./words.js";

export const setText = (id, text) => {
  if (byId(id).textContent !== text) byId(id).textContent = text; // an unchanged status is not announced again
};

/** "idle": the sample and tips; "running": picture and pulse; "result": neither. */
export function showMode(mode) {
  byId("playground").dataset.mode = mode;
  byId("idle").hidden = mode !== "idle";
  byId("running").hidden = mode !== "running";
  byId("start").hidden = byId("simulate").hidden = mode === "running";
  byId("stop").hidden = mode !== "running";
  for (const id of ["frames", "single", "seconds", "own-key", "keep"]) byId(id).disabled = mode === "running";
}

export function showState(text, { bad = false, detail = "" } = {}) {
  setText("state", text);
  byId("state").classList.toggle("bad", bad);
  setText("detail", detail);
}

export const showGuidance = (codes) => setText("guidance", advice(codes));

export function showProgress(share, rate) {
  const percent = Math.round(100 * share);
  byId("ring-done").setAttribute("stroke-dasharray", `${100 * share} 100`);
  byId("ring").setAttribute("aria-valuenow", String(percent));
  const known = Number.isFinite(rate);
  byId("ring").setAttribute("aria-valuetext", known ? `${percent} %, ${Math.round(rate)} bpm` : `${percent} %`);
  setText("ring-number", known ? String(Math.round(rate)) : "–");
}

/** The outline of a face, given in fractions of the picture; none for null. */
export const showOutline = (face) => drawOutline(byId("outline"), face);

// What the page shows of a measurement. It knows nothing of cameras or requests.

import { byId } from "../api.js";
import { advice, reason, VITALS } from "./words.js";

const setText = (id, text) => {
  if (byId(id).textContent !== text) byId(id).textContent = text; // an unchanged status is not announced again
};

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
export function showOutline(face) {
  const canvas = byId("outline");
  const ratio = globalThis.devicePixelRatio || 1;
  Object.assign(canvas, { width: canvas.clientWidth * ratio, height: canvas.clientHeight * ratio });
  if (!face) return;
  const context = canvas.getContext("2d");
  const [left, top, width, height] = face.box;
  context.strokeStyle = "#7ff0df";
  context.lineWidth = 3 * ratio;
  context.beginPath();
  context.ellipse(
    (left + width / 2) * canvas.width,
    (top + height / 2) * canvas.height,
    (width / 2) * canvas.width,
    (height / 2) * canvas.height,
    0,
    0,
    2 * Math.PI,
  );
  context.stroke();
  context.fillStyle = "#7ff0df";
  for (const [x, y] of face.landmarks) {
    context.beginPath();
    context.arc(x * canvas.width, y * canvas.height, 2.5 * ratio, 0, 2 * Math.PI);
    context.fill();
  }
}

/** Rounded down: no score may look like certainty by rounding. */
const score = (value) => (Math.floor(100 * value) / 100).toFixed(2);

function paragraph(text, className = "") {
  const node = document.createElement("p");
  node.textContent = text;
  node.className = className;
  return node;
}

function card(data, { name, label, unit }) {
  const item = document.createElement("li");
  item.dataset.vital = name;
  const title = document.createElement("h3");
  title.textContent = label;
  const value = data[name];
  if (value === null) {
    item.append(title, paragraph("Withheld", "value none"), paragraph(reason(data.withheld[name])));
  } else {
    const shown = paragraph(String(value), "value");
    const small = document.createElement("small");
    small.textContent = ` ${unit}`;
    shown.append(small);
    item.append(title, shown);
    const range = data.interval[name];
    if (range) item.append(paragraph(`90 % range: ${range[0]} to ${range[1]}`));
  }
  const quality = data.quality[name];
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  const filled = document.createElement("i");
  filled.style.width = `${100 * quality}%`;
  bar.append(filled);
  item.append(paragraph(`Quality ${score(quality)}`, "score"), bar);
  return item;
}

export function showResults(data, meta, truth) {
  byId("vitals").replaceChildren(...VITALS.map((vital) => card(data, vital)));
  const advised = advice(data.guidance);
  setText(
    "summary",
    `${data.frames} frames in ${(data.duration_ms / 1000).toFixed(1)} s, confidence ${score(data.confidence)}. ` +
      (truth ? `The simulation has ${truth} beats a minute. ` : "") +
      (advised ? `${advised} ` : "") +
      meta,
  );
  byId("results").hidden = false;
}

export function clearResults() {
  byId("results").hidden = true;
  byId("vitals").replaceChildren();
}

// A tile for each vital: value, its range on a typical scale, and how far to believe it.

import { reason, VITALS } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** Rounded down: no probability may look like certainty by rounding. */
export const score = (value) => (Math.floor(100 * value) / 100).toFixed(2);

const grade = (quality) => (quality >= 0.9 ? "High" : quality >= 0.6 ? "Medium" : "Low");

function make(tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

function rect(name, from, to, y, height) {
  const node = document.createElementNS(SVG, "rect");
  const at = { x: from, width: Math.max(to - from, 0.8), y, height, rx: height / 2, class: name };
  for (const [key, value] of Object.entries(at)) node.setAttribute(key, value);
  return node;
}

/** The scale from end to end, the typical band, the range, and the value. */
function scale(value, range, { scale: [low, high], typical }) {
  const at = (number) => Math.min(100, Math.max(0, (100 * (number - low)) / (high - low)));
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "scale");
  svg.setAttribute("viewBox", "0 0 100 8");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(rect("whole", 0, 100, 2.5, 3), rect("typical", at(typical[0]), at(typical[1]), 2.5, 3));
  if (range) svg.append(rect("range", at(range[0]), at(range[1]), 1.5, 5));
  const middle = Math.min(99, Math.max(1, at(value)));
  svg.append(rect("mark", middle - 0.9, middle + 0.9, 0, 8));
  return svg;
}

function believed(quality, { name, tolerance }) {
  const word = grade(quality);
  const button = make("button", word, `grade ${word}`);
  button.type = "button";
  const tip = make("span", `Probability ${score(quality)} that it is within ${tolerance}.`);
  tip.id = `tip-${name}`;
  tip.setAttribute("role", "tooltip");
  button.setAttribute("aria-describedby", tip.id);
  button.setAttribute("aria-label", `${word} confidence`);
  button.append(tip);
  return button;
}

function tile(data, vital) {
  const { name, label, unit, note = "" } = vital;
  const item = document.createElement("li");
  item.dataset.vital = name;
  item.append(make("h3", label));
  const value = data[name];
  if (value === null) {
    item.append(make("p", "Withheld", "value none"), make("p", reason(data.withheld[name])));
    return item;
  }
  const shown = make("p", String(value), "value");
  shown.append(make("small", ` ${unit}`));
  const range = data.interval[name];
  const ends = make("p", "", "ends");
  ends.append(make("span", vital.scale[0]), make("span", `typical ${vital.typical.join("–")}`), make("span", vital.scale[1]));
  const told = range ? `90 % range: ${range[0]} to ${range[1]}` : note;
  item.append(shown, scale(value, range, vital), ends, make("p", told), believed(data.quality[name], vital));
  return item;
}

export const tiles = (data) => VITALS.map((vital) => tile(data, vital));

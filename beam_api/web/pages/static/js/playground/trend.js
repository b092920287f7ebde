// Heart rate and HRV over time, each with its 90 % range: as a chart, and the same as a table.

import { byId } from "../api.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 158; // of a panel
const EMPTY = 48; // of one without values
const GAP = 16; // below a panel
const LEFT = 44;
const RIGHT = 12;
const TOP = 34;
const BOTTOM = 24;
const MOST_POINTS = 720; // an hour of them
const SHORTEST_S = 30; // of the time axis
const PANELS = [
  { name: "heart_rate", label: "Heart rate, bpm", least: 10 },
  { name: "hrv", label: "HRV (RMSSD), ms", least: 20 },
];

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

export class Trend {
  constructor() {
    this.points = [];
    new ResizeObserver(() => this.draw()).observe(byId("trend-chart"));
  }

  clear() {
    this.points = [];
    byId("trend").hidden = true;
    byId("trend-rows").replaceChildren();
  }

  /** Add a measurement that ended `seconds` after the beginning of the first. */
  add(data, seconds) {
    const point = { seconds };
    for (const { name } of PANELS) point[name] = { value: data[name], range: data.interval[name] ?? null };
    this.points = [...this.points, point].slice(-MOST_POINTS);
    byId("trend").hidden = false;
    byId("trend-rows").prepend(row(point));
    while (byId("trend-rows").rows.length > MOST_POINTS) byId("trend-rows").lastElementChild.remove();
    this.draw();
  }

  draw() {
    const svg = byId("trend-chart");
    const width = svg.clientWidth;
    if (!width || !this.points.length) return;
    const first = this.points[0].seconds;
    const end = Math.max(this.points.at(-1).seconds, first + SHORTEST_S);
    const x = (seconds) => LEFT + ((width - LEFT - RIGHT) * (seconds - first)) / (end - first);
    const nodes = [];
    let top = 0;
    for (const about of PANELS) {
      const ends = scale(this.points, about);
      nodes.push(...panel(about, this.points, { x, end, ends, width, top }));
      top += (ends ? HEIGHT : EMPTY) + GAP;
    }
    svg.setAttribute("viewBox", `0 0 ${width} ${top - GAP}`);
    svg.style.height = `${top - GAP}px`;
    svg.replaceChildren(...nodes);
    svg.setAttribute("aria-label", summary(this.points));
  }
}

/** Parts of the points that follow each other with values; where a value was withheld the line is broken. */
function stretches(points, name) {
  const parts = [[]];
  for (const point of points) {
    if (point[name].value === null) parts.push([]);
    else parts.at(-1).push(point);
  }
  return parts.filter((part) => part.length);
}

function scale(points, { name, least }) {
  const known = points.flatMap((point) => [point[name].value, ...(point[name].range ?? [])]).filter((value) => value !== null);
  if (!known.length) return null;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const room = Math.max(0, least - (high - low)) / 2;
  return [Math.max(0, Math.floor((low - room) / 5) * 5), Math.ceil((high + room) / 5) * 5];
}

function panel(about, points, { x, end, ends, width, top }) {
  const { name, label } = about;
  const base = top + HEIGHT - BOTTOM;
  const parts = [element("text", { x: 0, y: top + 14, class: "name" }, label)];
  if (!ends) return [...parts, element("text", { x: 0, y: top + 36, class: "label" }, "Withheld so far")];
  const y = (value) => base - ((base - top - TOP) * (value - ends[0])) / (ends[1] - ends[0]);
  for (const value of [ends[0], (ends[0] + ends[1]) / 2, ends[1]]) {
    parts.push(
      element("line", { x1: LEFT, y1: y(value), x2: width - RIGHT, y2: y(value), class: "grid" }),
      element("text", { x: LEFT - 8, y: y(value) + 4, class: "label end" }, String(value)),
    );
  }
  for (const part of stretches(points, name)) {
    const ranged = part.filter((point) => point[name].range);
    const edge = (side) => ranged.map((point) => `${x(point.seconds)},${y(point[name].range[side])}`);
    if (ranged.length > 1) parts.push(element("polygon", { points: [...edge(0), ...edge(1).reverse()].join(" "), class: "band" }));
    const line = part.map((point) => `${x(point.seconds)},${y(point[name].value)}`).join(" ");
    parts.push(element("polyline", { points: line, class: "line" }));
    const { seconds, [name]: { value } } = part.at(-1);
    parts.push(element("circle", { cx: x(seconds), cy: y(value), r: 3.5, class: "end-point" }));
  }
  parts.push(
    element("text", { x: LEFT, y: top + HEIGHT - 6, class: "label" }, clock(points[0].seconds)),
    element("text", { x: width - RIGHT, y: top + HEIGHT - 6, class: "label end" }, clock(end)),
  );
  return parts;
}

function summary(points) {
  const said = PANELS.map(({ name, label }) => {
    const values = points.map((point) => point[name].value).filter((value) => value !== null);
    if (!values.length) return `${label}: withheld`;
    return `${label}: ${Math.min(...values)} to ${Math.max(...values)}, last ${values.at(-1)}`;
  });
  return `${points.length} measurements. ${said.join(". ")}.`;
}

function row(point) {
  const line = document.createElement("tr");
  const texts = PANELS.flatMap(({ name }) => [point[name].value ?? "withheld", point[name].range?.join(" to ") ?? "–"]);
  for (const text of [clock(point.seconds), ...texts]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

// A bar for each day beside the key's limit, as SVG, and the same as rows of a table.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 190;
const FOOT = 24;
const HEAD = 22;
const MARGIN = 44; // for the numbers of the scale
const MINUTES = 1440;

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const short = (count) => (count >= 1e6 ? `${count / 1e6} M` : count >= 1000 ? `${count / 1000} k` : String(count));

/** Draw `days`, [{date, requests}] from the oldest on, on a scale of powers of ten up to a day at the limit. */
export function drawChart(svg, rows, { days, limit }) {
  const width = svg.clientWidth || 600;
  const step = (width - MARGIN) / days.length;
  const most = Math.max(0, ...days.map((day) => day.requests));
  const ceiling = limit * MINUTES;
  const top = Math.log10(Math.max(ceiling, most, 10) * 1.6);
  const room = HEIGHT - FOOT - HEAD;
  const y = (count) => HEIGHT - FOOT - (Math.log10(count * 1.6) / top) * room;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const parts = [];
  for (let power = 1; power < ceiling / 2; power *= 10) {
    parts.push(
      element("line", { x1: MARGIN, y1: y(power), x2: width, y2: y(power), class: "grid" }),
      element("text", { x: MARGIN - 8, y: y(power) + 4, class: "label end" }, short(power)),
    );
  }
  for (const [index, { date, requests }] of days.entries()) {
    const height = requests ? HEIGHT - FOOT - y(requests) : 0;
    const x = MARGIN + index * step + step / 6;
    const bar = element("rect", { x, y: HEIGHT - FOOT - height, width: (step * 2) / 3, height, rx: 2, class: "bar" });
    bar.append(element("title", {}, `${date}: ${requests}`));
    parts.push(bar);
  }
  const words = `limit: ${limit} a minute, ${ceiling.toLocaleString("en")} a day`;
  parts.push(
    element("line", { x1: MARGIN, y1: HEIGHT - FOOT, x2: width, y2: HEIGHT - FOOT, class: "axis" }),
    element("line", { x1: MARGIN, y1: y(ceiling), x2: width, y2: y(ceiling), class: "limit" }),
    element("text", { x: MARGIN, y: y(ceiling) - 6, class: "label limited" }, words),
    element("text", { x: MARGIN, y: HEIGHT - 6, class: "label" }, days[0].date.slice(5)),
    element("text", { x: width, y: HEIGHT - 6, class: "label end" }, days.at(-1).date.slice(5)),
  );
  svg.replaceChildren(...parts);
  const total = days.reduce((sum, day) => sum + day.requests, 0);
  svg.setAttribute("aria-label", `Requests by day: ${total} in ${days.length} days, ${most} on the busiest; ${words}`);
  rows.replaceChildren(
    ...[...days].reverse().map(({ date, requests }) => {
      const row = document.createElement("tr");
      for (const text of [date, requests]) {
        const cell = document.createElement("td");
        cell.textContent = text;
        row.append(cell);
      }
      return row;
    }),
  );
}

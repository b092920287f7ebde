// A bar for each day, as SVG, and the same as rows of a table.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 140;
const FOOT = 22;

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Draw `days`, [{date, requests}] from the oldest on, as wide as the chart is shown. */
export function drawChart(svg, rows, days) {
  const most = Math.max(1, ...days.map((day) => day.requests));
  const width = svg.clientWidth || 600;
  const step = width / days.length;
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const room = HEIGHT - FOOT - 18;
  svg.replaceChildren(
    element("line", { x1: 0, y1: HEIGHT - FOOT, x2: width, y2: HEIGHT - FOOT, class: "axis" }),
    element("text", { x: 0, y: 12, class: "label" }, `most: ${most === 1 && !days.some((d) => d.requests) ? 0 : most}`),
    ...days.map(({ date, requests }, index) => {
      const height = requests ? Math.max(2, (requests / most) * room) : 0;
      const bar = element("rect", {
        x: index * step + step / 8,
        y: HEIGHT - FOOT - height,
        width: (step * 3) / 4,
        height,
        rx: 2,
        class: "bar",
      });
      bar.append(element("title", {}, `${date}: ${requests}`));
      return bar;
    }),
    element("text", { x: 0, y: HEIGHT - 5, class: "label" }, days[0].date.slice(5)),
    element("text", { x: width, y: HEIGHT - 5, class: "label end" }, days.at(-1).date.slice(5)),
  );
  const total = days.reduce((sum, day) => sum + day.requests, 0);
  svg.setAttribute("aria-label", `Requests by day: ${total} in ${days.length} days, ${most} on the busiest`);
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

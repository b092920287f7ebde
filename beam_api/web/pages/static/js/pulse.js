// A pulse wave on a canvas: as much of it as is known, with beats where they are.

/** Fit the canvas to the screen's pixels; its context. */
export function fitted(canvas) {
  const ratio = globalThis.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  return { context, width, height, ratio };
}

/** A line at rest, where there is no pulse to show. */
export function drawRest(canvas, colour) {
  const { context, width, height, ratio } = fitted(canvas);
  Object.assign(context, { strokeStyle: colour, lineWidth: ratio });
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(width, height / 2);
  context.stroke();
}

/**
 * Draw `values` at `fs` Hz, `span` seconds of them from `from` on across the canvas, none after `until`.
 * `beats` are marked at their seconds; `pen` marks the end. Before any is known, a line in `colours.rest`, if given.
 */
export function drawPulse(canvas, { values, fs, from = 0, span, until = Infinity, beats = [], pen = false, colours }) {
  const { context, width, height, ratio } = fitted(canvas);
  const first = Math.max(0, Math.floor(from * fs) - 1);
  const last = Math.min(values.length - 1, Math.ceil((from + span) * fs) + 1, Math.floor(until * fs));
  if (last - first < 2) {
    if (colours.rest) drawRest(canvas, colours.rest);
    return;
  }
  let [low, high] = [Infinity, -Infinity];
  for (let i = first; i <= last; i += 1) [low, high] = [Math.min(low, values[i]), Math.max(high, values[i])];
  const x = (index) => ((index / fs - from) / span) * width;
  const y = (index) => height * (0.1 + (0.8 * (high - values[index])) / (high - low || 1));
  Object.assign(context, { strokeStyle: colours.pulse, lineWidth: 2 * ratio, lineJoin: "round", lineCap: "round" });
  context.beginPath();
  context.moveTo(x(first), y(first));
  for (let i = first + 1; i < last; i += 1) {
    // Through the middles, with the samples as handles: a smooth line that invents no crest.
    context.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 1)) / 2, (y(i) + y(i + 1)) / 2);
  }
  context.lineTo(x(last), y(last));
  context.stroke();
  context.fillStyle = colours.beat;
  for (const beat of beats) {
    const before = Math.floor(beat * fs);
    if (before < first || before >= last) continue;
    const share = beat * fs - before;
    const height = y(before) + share * (y(before + 1) - y(before));
    dot(context, x(beat * fs), height, 2.6 * ratio);
  }
  if (pen) {
    context.fillStyle = colours.pulse;
    dot(context, x(last), y(last), 4 * ratio);
  }
}

function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

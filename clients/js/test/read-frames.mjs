// Raw RGB frames on standard input, their samples on standard output, one JSON line for each frame.
// node read-frames.mjs WIDTH HEIGHT FPS
import { FrameReader, fractions, writeSample } from "../dist/reader.js";
import { model } from "./vectors.mjs";

const [width, height, fps] = process.argv.slice(2).map(Number);
const reader = new FrameReader(await model());
const data = new Uint8ClampedArray(width * height * 4).fill(255);
const frame = Buffer.alloc(width * height * 3);
let filled = 0;
let index = 0;

function read() {
  for (let i = 0, from = 0; i < data.length; i += 4, from += 3) {
    data[i] = frame[from];
    data[i + 1] = frame[from + 1];
    data[i + 2] = frame[from + 2];
  }
  const { confirmed } = reader.read(1000 + (index++ * 1000) / fps, { data, width, height });
  for (const { timeMs, reading, landmarks } of confirmed) {
    const face = { landmarks: fractions(landmarks, width, height) };
    process.stdout.write(`${JSON.stringify({ ...writeSample(timeMs, reading), face })}\n`);
  }
}

for await (const chunk of process.stdin) {
  for (let at = 0; at < chunk.length; ) {
    const count = chunk.copy(frame, filled, at);
    at += count;
    filled += count;
    if (filled < frame.length) continue;
    filled = 0;
    read();
  }
}

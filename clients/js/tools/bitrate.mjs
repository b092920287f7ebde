// What a sample takes as it is sent, a second of 30 in a request. node tools/bitrate.mjs READINGS
//
// READINGS has a reading of a frame on each line, {"pose", "colours", "detail"} with null for what is not seen.
// `python -m benchmarks.colour_bitrate` writes it from a simulated and a real face, and calls this.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { writeSample } from "../dist/sample.js";

const RATE = 30;

const JITTER_MS = 1; // a camera's times are never even
let state = 1;
const jitter = () => ((state = (state * 48271) % 2147483647) / 2147483647 - 0.5) * 2 * JITTER_MS;

const readings = readFileSync(process.argv[2], "utf8").trim().split("\n").map((line) => JSON.parse(line));
let [bytes, count] = [0, 0];
for (let start = 0; start + RATE <= readings.length; start += RATE) {
  const samples = readings.slice(start, start + RATE).map((reading, i) => writeSample(81234.567 + ((start + i) * 1000) / RATE + jitter(), reading));
  const body = { session_id: "a-random-name", duration_ms: 30000, sample_version: 1, frame_size: [640, 480], samples };
  bytes += gzipSync(JSON.stringify(body)).length;
  count += RATE;
}
for (const rate of [15, 20, 30]) {
  console.log(`${rate} frames a second: ${((bytes / count) * 8 * rate / 1000).toFixed(1)} kbit/s, ${(bytes / count).toFixed(0)} bytes a sample`);
}

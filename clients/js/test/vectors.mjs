// The test vectors of the repository: frames, landmarks in them, and the samples that the server's reader makes.
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

import { loadModel } from "../dist/face/model.js";

const VECTORS = new URL("../../../tests/vectors/", import.meta.url);

export const { reader, entries } = JSON.parse(readFileSync(new URL("samples.json", VECTORS), "utf8"));

export function model() {
  return loadModel(new Uint8Array(readFileSync(new URL("../dist/reader.bin", import.meta.url))).buffer);
}

export function landmarks(entry) {
  return entry.landmarks.map(([x, y]) => ({ x, y }));
}

/** Decode an RGB PNG of 8 bits to what a canvas would give. */
export function picture(name) {
  const bytes = readFileSync(new URL(name, VECTORS));
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const parts = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const rgb = unfiltered(inflateSync(Buffer.concat(parts)), width * 3, height);
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) data.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i);
  return { data, width, height };
}

function unfiltered(lines, stride, height) {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const left = x < 3 ? 0 : out[y * stride + x - 3];
      const above = y === 0 ? 0 : out[(y - 1) * stride + x];
      const corner = x < 3 || y === 0 ? 0 : out[(y - 1) * stride + x - 3];
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter];
      out[y * stride + x] = lines[y * (stride + 1) + 1 + x] + guess;
    }
  }
  return out;
}

function paeth(left, above, corner) {
  const [a, b, c] = [left, above, corner].map((value) => Math.abs(left + above - corner - value));
  if (a <= b && a <= c) return left;
  return b <= c ? above : corner;
}

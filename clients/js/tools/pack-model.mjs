// Pack dlib's landmark model and face detector, as rppg_core ships them, into one file that a browser loads.
//
// node tools/pack-model.mjs MODELS OUTPUT
//
// Nothing is lost: the splits compare differences of whole levels, and the leaves, which move the landmarks, are whole
// steps of 2^-18 of the face's box in that file already (benchmarks/prune_landmarks.py).
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

const LEAF_STEP = 2 ** -18;
const POINTS = 5;
const FILTER_VALUES = 10 * 10 * 31;

/** Walk through dlib's serialisation: an integer is a byte of sign and length, and a float is mantissa and exponent. */
class Walk {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  integer() {
    const head = this.bytes[this.at++];
    let value = 0;
    for (let i = 0; i < (head & 0x0f); i++) value += this.bytes[this.at++] * 256 ** i;
    return head & 0x80 ? -value : value;
  }

  float() {
    const mantissa = this.integer();
    return mantissa * 2 ** this.integer();
  }

  floats(count) {
    return Array.from({ length: count }, () => this.float());
  }

  matrix() {
    return this.floats(Math.abs(this.integer()) * Math.abs(this.integer()));
  }
}

function readTree(walk, splits, leaves) {
  const nSplits = walk.integer();
  for (let i = 0; i < nSplits; i++) {
    const [first, second] = [walk.integer(), walk.integer()];
    const threshold = Math.floor(walk.float());
    if (first > 1023 || second > 1023 || threshold < -64 || threshold > 63) throw new Error("a split is out of range");
    splits.push(first | (second << 10) | ((threshold + 64) << 20));
  }
  const nLeaves = walk.integer();
  for (let i = 0; i < nLeaves; i++) leaves.push(...walk.matrix().map((value) => Math.round(value / LEAF_STEP)));
  return nSplits;
}

function packPredictor(walk) {
  const [splits, leaves] = [[], []];
  if (walk.integer() !== 1) throw new Error("another version of dlib's shape predictor");
  const mean = walk.matrix();
  const stages = walk.integer();
  let trees = 0;
  let perTree = 0;
  for (let stage = 0; stage < stages; stage++) {
    trees = walk.integer();
    for (let tree = 0; tree < trees; tree++) perTree = readTree(walk, splits, leaves);
  }
  const anchors = Array.from({ length: walk.integer() }, () =>
    Array.from({ length: walk.integer() }, () => walk.integer()),
  ).flat();
  const deltas = Array.from({ length: walk.integer() }, () =>
    Array.from({ length: walk.integer() }, () => walk.floats(2)),
  ).flat(2);
  if (walk.at !== walk.bytes.length || mean.length !== 2 * POINTS) throw new Error("not the 5-point model");
  if (leaves.some((leaf) => leaf < -32768 || leaf > 32767)) throw new Error("a leaf is out of range");
  const header = new Uint32Array([stages, trees, perTree, anchors.length / stages]);
  return [
    bytesOf(header),
    bytesOf(new Float32Array([LEAF_STEP, ...mean])),
    bytesOf(Float32Array.from(deltas)),
    planes(bytesOf(Uint32Array.from(splits)), 4),
    planes(bytesOf(Int16Array.from(leaves)), 2),
    Uint8Array.from(anchors),
  ];
}

function packDetector(walk) {
  const values = [];
  while (walk.at < walk.bytes.length) values.push(walk.integer());
  const start = values.indexOf(-(FILTER_VALUES + 1)) - 1;
  const filters = new Float32Array(values[start] * (FILTER_VALUES + 1));
  let at = start + 1;
  for (let filter = 0; filter < values[start]; filter++) {
    if (values[at] !== -(FILTER_VALUES + 1)) throw new Error("another version of dlib's detector");
    at += 2;
    for (let i = 0; i <= FILTER_VALUES; i++, at += 2) {
      filters[filter * (FILTER_VALUES + 1) + i] = values[at] * 2 ** values[at + 1];
    }
  }
  return [bytesOf(Uint32Array.of(values[start])), bytesOf(filters)];
}

function bytesOf(array) {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** First bytes of all numbers, then the second ones: high bytes are alike, and are packed well together. */
function planes(bytes, size) {
  const apart = new Uint8Array(bytes.length);
  const count = bytes.length / size;
  for (let i = 0; i < bytes.length; i++) apart[(i % size) * count + Math.floor(i / size)] = bytes[i];
  return apart;
}

const [models, output] = process.argv.slice(2);
const predictor = packPredictor(new Walk(readFileSync(join(models, "shape_predictor_5_face_landmarks.dat"))));
const detector = packDetector(new Walk(readFileSync(join(models, "frontal_face_detector.svm"))));
writeFileSync(output, deflateSync(Buffer.concat([...predictor, ...detector]), { level: 9 }));

import assert from "node:assert/strict";
import { test } from "node:test";

import { FaceFinder, MIN_FACE_PX } from "../dist/face/finder.js";
import { CELL, LAYOUT, TEMPLATE, corners } from "../dist/face/regions.js";
import { CENTRE_PX, CONTROLS, FACE, FLOOR, LEAST_PX } from "../dist/face/witness.js";
import { MISSING, SAMPLE_VERSION, STEPS, encode, readColours, writeSample } from "../dist/sample.js";
import { entries, landmarks, model, picture, reader } from "./vectors.mjs";

const finder = new FaceFinder(await model());
const NEAREST = 0.05; // levels in the median; every region within 0.3

function near(found, wanted, tolerance, what) {
  assert.ok(Math.abs(found - wanted) <= tolerance, `${what}: ${found}, not ${wanted}`);
}

function differences(colours, wanted) {
  assert.deepEqual(colours.map((colour) => colour === null), wanted.map((colour) => colour === null));
  return colours.flatMap((colour, i) => (colour ?? []).map((level, channel) => Math.abs(level - wanted[i][channel])));
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

test("the constants are those of /reader.json", () => {
  assert.equal(SAMPLE_VERSION, reader.sample_version);
  assert.deepEqual([STEPS, MISSING], [reader.colours.steps_per_level, reader.colours.missing]);
  assert.deepEqual(TEMPLATE.map(({ x, y }) => [x, y]), reader.landmarks.map(({ template }) => template));
  assert.deepEqual(LAYOUT.map((region) => corners(region).map(({ x, y }) => [x, y])), reader.regions.map((r) => r.corners));
  const written = ({ middle, half, mostPx }) => ({ middle, half, most_px: mostPx });
  assert.deepEqual(CONTROLS.map(written), reader.controls.map(({ middle, half, most_px }) => ({ middle, half, most_px })));
  assert.deepEqual(written(FACE), reader.detail.face);
  assert.deepEqual([[...CENTRE_PX], FLOOR], [reader.detail.centre_most_px, reader.detail.floor]);
  assert.deepEqual([LEAST_PX, MIN_FACE_PX, CELL], [reader.least_part_px, reader.least_face_px, reader.cell]);
});

for (const entry of entries) {
  test(`${entry.frame}: the sample for its landmarks`, () => {
    const reading = readColours(picture(entry.frame), landmarks(entry));
    const off = differences(reading.colours, entry.colours);
    assert.ok(Math.max(...off) < 0.3 && median(off) < NEAREST, `${Math.max(...off)}, ${median(off)}`);
    entry.sample.pose.forEach((wanted, i) => near(reading.pose[i], wanted, i < 3 ? 0.001 : 1e-5, `pose ${i}`));
    entry.sample.detail.forEach((wanted, i) => near(reading.detail[i], wanted, i < 5 ? 0.001 : 0.01, `detail ${i}`));
  });

  test(`${entry.frame}: the face is found, followed and verified where the server sees it`, () => {
    const image = picture(entry.frame);
    const face = finder.find(image, "thorough");
    assert.ok(face && face !== "small");
    for (const seen of [face, finder.findNear(image, face), finder.follow(image, face)]) {
      seen.landmarks.forEach(({ x, y }, i) => {
        const pixel = 1.5 * seen.side / 320; // the predictor answers in whole pixels of what it is shown
        near(x, entry.landmarks[i][0], pixel, `x of landmark ${i}`);
        near(y, entry.landmarks[i][1], pixel, `y of landmark ${i}`);
      });
    }
    assert.equal(finder.verify(image, face), true);
    const aside = { ...face, centre: { x: face.centre.x + 0.6 * face.side, y: face.centre.y } };
    assert.equal(finder.verify(image, aside), false);
    const { colours } = readColours(image, face.landmarks);
    const off = colours.flatMap((colour, i) => {
      const wanted = entry.colours[i];
      return colour && wanted ? colour.map((level, channel) => Math.abs(level - wanted[channel])) : [];
    });
    assert.ok(off.length > 80 && median(off) < NEAREST, `${off.length}, ${median(off)}`);
  });
}

test("a sample is written as the server writes it", () => {
  for (const { colours, sample } of entries) {
    const written = Buffer.from(encode(colours), "base64");
    const expected = Buffer.from(sample.colours, "base64");
    for (let i = 0; i < written.length; i += 2) near(written.readUInt16LE(i), expected.readUInt16LE(i), 1, `value ${i / 2}`);
  }
  const reading = { pose: [320.12345, 240, 61.2, 0.0123456, -0.1], colours: [[1, 2, 3], null], detail: [-12, 7, null, 0, -1, 99] };
  assert.deepEqual(writeSample(1000.0004, reading), {
    timestamp_ms: 1000,
    pose: [320.1, 240, 61.2, 0.012, -0.1],
    colours: Buffer.from([0, 1, 0, 2, 0, 3, 255, 255, 255, 255, 255, 255]).toString("base64"),
    detail: [-10, 6, null, 0, -1, 99],
  });
});

test("what is sent of a colour is within a sixteenth of a level", () => {
  for (const { colours } of entries) {
    const sent = Buffer.from(writeSample(0, { pose: [], colours, detail: [] }).colours, "base64");
    colours.forEach((colour, region) => {
      for (let channel = 0; channel < 3; channel++) {
        const value = sent.readUInt16LE(6 * region + 2 * channel);
        if (colour) near(value / STEPS, colour[channel], 1 / 16, `region ${region}`);
        else assert.equal(value, MISSING);
      }
    });
  }
});

test("there is no face in a wall, and a small one is called small", () => {
  const wall = { data: new Uint8ClampedArray(200 * 150 * 4).fill(120), width: 200, height: 150 };
  assert.equal(finder.find(wall, "thorough"), null);
  const large = picture("frame-large.png");
  const small = { data: new Uint8ClampedArray(100 * 96 * 4).fill(255), width: 100, height: 96 };
  for (let y = 0; y < 96; y++) {
    for (let x = 0; x < 100; x++) {
      const from = (3 * y * large.width + 3 * x) * 4;
      small.data.set(large.data.subarray(from, from + 3), (y * 100 + x) * 4);
    }
  }
  assert.equal(finder.find(small, "thorough"), "small");
});

test("a picture in which no region lies has no sample", () => {
  const image = picture("frame-upright.png");
  const beyond = landmarks(entries[0]).map(({ x, y }) => ({ x: x + 400, y }));
  assert.equal(readColours(image, beyond), null);
});

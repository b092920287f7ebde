// A track as a browser gives it: what a real camera answers is in tests/browser/test_package.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lockCamera, unlockCamera } from "../dist/camera.js";

const CONTROLS = { exposureMode: ["continuous", "manual"], whiteBalanceMode: ["continuous", "manual"], frameRate: { min: 1, max: 60 } };
const SETTINGS = { frameRate: 30, exposureMode: "continuous", exposureTime: 156, whiteBalanceMode: "continuous", colorTemperature: 4600 };

/** A camera with some controls. It refuses sets of constraints for which `takes` is false. */
function camera(controls, takes = () => true) {
  const settings = { ...SETTINGS };
  const asked = [];
  return {
    asked,
    getCapabilities: () => controls,
    getConstraints: () => ({ width: { ideal: 640 } }),
    getSettings: () => settings,
    async applyConstraints(constraints) {
      asked.push(constraints);
      if (!takes(constraints)) throw new Error("OverconstrainedError");
      for (const set of constraints.advanced ?? []) Object.assign(settings, set);
    },
  };
}

test("exposure, white balance and frame rate stay at what they are", async () => {
  const track = camera(CONTROLS);
  assert.deepEqual(await lockCamera(track), ["frameRate", "exposureMode", "whiteBalanceMode"]);
  assert.deepEqual(track.getSettings(), { ...SETTINGS, exposureMode: "manual", whiteBalanceMode: "manual" });
  assert.ok(track.asked.every(({ width }) => width.ideal === 640));
});

for (const [what, controls] of [
  ["no controls", {}],
  ["nothing but automatic ones", { exposureMode: ["continuous"], whiteBalanceMode: ["none"] }],
]) {
  test(`a track with ${what} is left alone`, async () => {
    const track = camera(controls);
    assert.deepEqual(await lockCamera(track), []);
    assert.deepEqual(track.asked, []);
  });
}

test("a track of a browser that tells no capabilities is left alone", async () => {
  const track = { ...camera(CONTROLS), getCapabilities: undefined };
  assert.deepEqual(await lockCamera(track), []);
  assert.deepEqual(track.asked, []);
});

test("what a camera refuses stays automatic, and the rest is locked", async () => {
  const track = camera(CONTROLS, ({ advanced }) => !advanced.some((set) => "exposureMode" in set));
  assert.deepEqual(await lockCamera(track), ["frameRate", "whiteBalanceMode"]);
  assert.equal(track.getSettings().exposureMode, "continuous");
});

test("a browser that takes controls of the camera by themselves only is asked so", async () => {
  const track = camera(CONTROLS, ({ width, advanced }) => !(width && advanced.some((set) => "exposureMode" in set)));
  assert.deepEqual(await lockCamera(track), ["frameRate", "exposureMode", "whiteBalanceMode"]);
});

test("a locked camera can be set free", async () => {
  const track = camera(CONTROLS);
  await lockCamera(track);
  await unlockCamera(track);
  assert.deepEqual(track.getSettings(), SETTINGS);
});

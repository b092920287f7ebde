// Plays the recorded sample: the film, and beside it what the service said at each of its seconds.

import { drawOutline } from "./outline.js";
import { drawPulse } from "./pulse.js";

const SPEED = 3;
const SHOWN_S = 9; // of the wave, while it comes
const LEAST_MS = 28; // between two pictures: more than the eye needs costs a phone its battery
const HELD_MS = 6000; // the result, before it plays again
const COLOURS = { pulse: "#ff7d85", beat: "#e4eeeb", rest: "#3d4d48" };

const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Sample {
  constructor(root, recording) {
    Object.assign(this, { root, recording, playing: false, at: recording.seconds, held: 0, seen: true });
    this.find = (selector) => root.querySelector(selector);
    this.video = this.find("video");
    this.notes = new Map([...root.querySelectorAll("[data-vital] .between")].map((node) => [node, node.textContent]));
    this.button = this.find("button");
    this.button.hidden = false;
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    new ResizeObserver(() => this.draw()).observe(this.find(".pulse"));
    new IntersectionObserver(([entry]) => (this.seen = entry.isIntersecting)).observe(root);
    if (still.matches) this.pause();
    else this.play();
  }

  play() {
    this.playing = true;
    this.button.textContent = "Pause";
    this.find(".speed").hidden = false;
    if (this.at >= this.recording.seconds) this.rewind();
    this.roll();
    this.last = performance.now();
    requestAnimationFrame((now) => this.step(now));
  }

  pause() {
    this.playing = false;
    this.button.textContent = "Play";
    this.video.pause();
    this.draw();
  }

  /** Without a film, as in a browser that can't decode it, the picture stays and the rest plays all the same. */
  roll() {
    this.video.playbackRate = SPEED;
    this.video.currentTime = this.at;
    this.video.play().then(
      () => (this.video.hidden = false),
      () => {},
    );
  }

  rewind() {
    this.at = 0;
    this.held = 0;
  }

  step(now) {
    if (!this.playing) return;
    const passed = now - this.last;
    if (passed < LEAST_MS) {
      requestAnimationFrame((then) => this.step(then));
      return;
    }
    this.last = now;
    if (this.seen && passed < 1000) this.advance(passed);
    requestAnimationFrame((then) => this.step(then));
  }

  advance(passed) {
    const { seconds } = this.recording;
    if (this.at >= seconds) {
      this.held += passed;
      if (this.held < HELD_MS) return;
      this.rewind();
      this.roll();
    } else {
      const film = this.video;
      this.at = film.paused || film.hidden ? this.at + (SPEED * passed) / 1000 : Math.max(this.at, film.currentTime);
      if (film.ended || this.at > seconds - 0.1) this.at = seconds;
    }
    this.draw();
  }

  draw() {
    const { at, recording } = this;
    const { seconds, running, measured, wave } = recording;
    const done = at >= seconds;
    const now = running.findLast((answer) => answer.at_s <= at);
    const rate = done ? measured.at(-1).heart_rate : now?.heart_rate;
    const span = done ? seconds : SHOWN_S;
    const known = now?.heart_rate || done ? at : 0; // the service shows a pulse once it believes one
    const beats = done ? wave.beats_ms.map((ms) => ms / 1000) : [];
    const from = done ? 0 : Math.max(0, at - SHOWN_S * 0.94);
    // Pictures first: they ask for sizes, which a text that has just changed would make the browser find anew.
    drawOutline(this.find(".outline"), now ? between(running, at) : null);
    const canvas = this.find(".pulse");
    drawPulse(canvas, { values: wave.ppg, fs: wave.sampling_rate, from, span, until: known, beats, pen: !done, colours: COLOURS });
    this.find("progress").value = at;
    this.find(".rate b").textContent = rate ? Math.round(rate) : "–";
    this.vitals(measured.findLast((data) => data.duration_ms <= 1000 * at), rate);
  }

  vitals(data, rate) {
    for (const item of this.root.querySelectorAll("[data-vital]")) {
      const name = item.dataset.vital;
      const value = data?.[name] ?? null;
      const range = data?.interval[name];
      const note = item.querySelector(".between");
      const running = value === null && name === "heart_rate" && rate;
      const text = value === null ? (running ? String(Math.round(rate)) : "–") : String(value);
      const number = item.querySelector(".number");
      if (value !== null && number.dataset.arrived !== "yes") arrive(item);
      number.dataset.arrived = value === null ? "no" : "yes";
      if (number.textContent !== text) number.textContent = text;
      const told = value === null ? (running ? "running" : "") : range ? range.map((end) => end.toFixed(1)).join(" to ") : this.notes.get(note);
      if (note.textContent !== told) note.textContent = told;
    }
  }
}

function arrive(item) {
  item.classList.remove("arrives");
  requestAnimationFrame(() => item.classList.add("arrives"));
}

/** The face at a second, between the two answers beside it. */
function between(running, at) {
  const after = running.findIndex((answer) => answer.at_s > at);
  const [a, b] = after < 1 ? [running.at(-1), running.at(-1)] : [running[after - 1], running[after]];
  const share = a === b ? 0 : (at - a.at_s) / (b.at_s - a.at_s);
  const mix = (from, to) => from.map((value, i) => value + share * (to[i] - value));
  return { box: mix(a.box, b.box), landmarks: a.landmarks.map((point, i) => mix(point, b.landmarks[i])) };
}

/** Play the sample in this element, once the page itself is there. */
export async function playSample(root) {
  const answer = await fetch(root.dataset.recording);
  if (answer.ok) return new Sample(root, await answer.json());
  return null;
}

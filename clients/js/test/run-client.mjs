// Makes one call of beam-rppg/node, which stdin describes, and prints what came of it.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import * as beam from "beam-rppg/node"; // the package by its own name

const { call, options, frames, path, abortAt } = JSON.parse(await text(process.stdin));
const abort = new AbortController();
const seen = { progress: [], partials: [], guidance: [] };
const callbacks = {
  signal: abort.signal,
  onProgress: (progress) => {
    seen.progress.push(progress.progress);
    if (progress.progress >= (abortAt ?? Infinity)) {
      seen.sessionId = progress.sessionId ?? progress.session_id;
      abort.abort();
    }
  },
  onPartial: (partial) => seen.partials.push(partial.heart_rate),
  onGuidance: (codes) => seen.guidance.push(...codes),
};

async function* read() {
  for (const [timestampMs, file] of frames) yield { timestampMs, image: readFileSync(file) };
}

try {
  const result = await beam[call](frames ? read() : path, { ...options, ...callbacks });
  console.log(JSON.stringify({ result, seen }));
} catch (error) {
  const { name, code, status, guidance, message } = error;
  const typed = error instanceof beam.BeamError && error instanceof (beam[name] ?? Array);
  console.log(JSON.stringify({ error: { name, code, status, guidance, message, typed }, seen }));
}

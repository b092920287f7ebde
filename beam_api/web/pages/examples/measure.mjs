// Node 18 or newer. In a browser, send frames through your own server, so that the key stays there.
import { readFile } from "node:fs/promises";

async function measure(frames, session) {
  const form = new FormData();
  form.append("session_id", session);
  for (const { jpeg, at } of frames) {
    form.append("frame", new Blob([jpeg], { type: "image/jpeg" }), "frame.jpg");
    form.append("timestamp_ms", at.toFixed(3));
  }
  const answer = await fetch("http://localhost:8000/api/rppg/measure", {
    method: "POST",
    headers: { "X-API-Key": "beam_sk_your_key" },
    body: form,
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${body.error.code}: ${body.error.message}`);
  return body.data; // status "buffering" (202) until the window is full, then "complete" (200)
}

const frames = [];
for (const [index, name] of ["frame-0.jpg", "frame-1.jpg"].entries()) {
  frames.push({ jpeg: await readFile(name), at: index * 33.3 });
}
const data = await measure(frames, "patient-7");
console.log(data.status, data.frames, data.progress, data.heart_rate);

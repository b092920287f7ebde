// This measurement as JSON and CSV, and as programs that make one like it.

import { VITALS } from "./words.js";

export const asJson = (data) => JSON.stringify(data, null, 2);

export function asCsv(data) {
  const rows = VITALS.map(({ name, unit }) => {
    const [low, high] = data.interval[name] ?? ["", ""];
    return [name, data[name] ?? "", unit, low, high, data.quality[name], data.withheld[name] ?? ""];
  });
  return [["vital", "value", "unit", "low", "high", "probability", "withheld"], ...rows].map((row) => row.join(",")).join("\r\n") + "\r\n";
}

/** JSON as it is read on the page: without the waves, which are in the download. */
function brief(data) {
  const { raw, ...rest } = data;
  if (!raw) return asJson(rest);
  const marks = Object.fromEntries(Object.entries(raw).map(([name, v]) => [name, Array.isArray(v) ? `${v.length} numbers` : v]));
  return asJson({ ...rest, raw: marks });
}

export const LISTINGS = {
  json: brief,
  curl: ({ duration_ms: ms, session_id: session }) => `# One second of frames per request, until the answer is 200.
curl ${location.origin}/api/rppg/measure \\
  -H "X-API-Key: beam_sk_your_key" \\
  -F "session_id=${session}" \\
  -F "duration_ms=${ms}" \\
  -F "include_raw=true" \\
  -F "frame=@frame-0.jpg" -F "timestamp_ms=0" \\
  -F "frame=@frame-1.jpg" -F "timestamp_ms=33.3"`,
  python: ({ duration_ms: ms, session_id: session }) => `from beam_client import Beam

beam = Beam("${location.origin}", "beam_sk_your_key")
print(beam.measure(0, session_id="${session}", duration_ms=${ms}, include_raw=True).data)`,
  javascript: ({ duration_ms: ms, session_id: session }) => `// Call it with each second of frames, [{jpeg: Blob, at: milliseconds}], until status is "complete".
async function measure(frames) {
  const form = new FormData();
  form.append("session_id", "${session}");
  form.append("duration_ms", "${ms}");
  form.append("include_raw", "true");
  for (const { jpeg, at } of frames) {
    form.append("frame", jpeg, "frame.jpg");
    form.append("timestamp_ms", at.toFixed(3));
  }
  const headers = { "X-API-Key": "beam_sk_your_key" };
  const answer = await fetch("${location.origin}/api/rppg/measure", { method: "POST", headers, body: form });
  return (await answer.json()).data;
}`,
};

/** The same where the face is read on the device. */
export const COLOUR_LISTINGS = {
  json: brief,
  curl: ({ duration_ms: ms, session_id: session }) => `# samples.json: {"session_id": "${session}", "duration_ms": ${ms}, "include_raw": true,
#  "sample_version": 1, "frame_size": [640, 480], "samples": [...]}, one second of them per request, until the answer is 200.
curl ${location.origin}/api/rppg/samples \\
  -H "X-API-Key: beam_sk_your_key" \\
  -H "Content-Type: application/json" \\
  --data-binary @samples.json`,
  python: ({ duration_ms: ms }) => `import subprocess

command = ["beam", "measure", "0", "--url", "${location.origin}", "--key", "beam_sk_your_key"]
subprocess.run([*command, "--colours", "--seconds", "${Math.round(ms / 1000)}"], check=True)`,
  javascript: ({ duration_ms: ms, session_id: session }) => `import { measure } from "beam-rppg";

// The token is of your own server: POST ${location.origin}/api/keys/me/tokens for session "${session}".
const result = await measure(document.querySelector("video"), {
  url: "${location.origin}",
  token: "beam_tk_your_token",
  sessionId: "${session}",
  durationMs: ${ms},
  includeRaw: true,
});`,
};

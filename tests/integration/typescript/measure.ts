// Measures a folder of frames with the generated types: node measure.js URL KEY FOLDER. Prints the answer's data.
import { readFile } from "node:fs/promises";
import type { components, operations } from "./beam.js";

type Upload = components["schemas"]["Upload"];
type Answers = operations["measure"]["responses"];
type Content<Status extends keyof Answers> = Answers[Status]["content"]["application/json"];
type Answer = { [Status in keyof Answers]: Content<Status> }[keyof Answers];
type Complete = Content<200>["data"];

const [url, key, folder] = process.argv.slice(2) as [string, string, string];

async function measure({ frame, ...fields }: Upload): Promise<Answer> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) form.append(name, String(one));
  }
  for (const image of frame) form.append("frame", image, "frame.jpg");
  const answer = await fetch(`${url}/api/rppg/measure`, { method: "POST", headers: { "X-API-Key": key }, body: form });
  return answer.json();
}

/** The measurement in an answer, if it holds one. */
function completed(answer: Answer): Complete | undefined {
  if (!answer.success) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  const data = answer.data;
  if (data.status === "complete") {
    // @ts-expect-error: only a window that is filling has a progress
    data.progress;
    return data;
  }
  // @ts-expect-error: only a finished measurement has a name
  data.measurement_id;
  console.error(`${data.progress}`);
  return undefined;
}

const times: number[] = JSON.parse(await readFile(`${folder}/times.json`, "utf8"));
for (let at = 0; at < times.length; at += 15) {
  const timestamp_ms = times.slice(at, at + 15);
  const frame = await Promise.all(
    timestamp_ms.map(async (_, i) => new Blob([await readFile(`${folder}/${at + i}.jpg`)], { type: "image/jpeg" })),
  );
  const found = completed(await measure({ frame, timestamp_ms, duration_ms: 10_000, session_id: "typescript" }));
  if (found) {
    console.log(JSON.stringify(found));
    break;
  }
}

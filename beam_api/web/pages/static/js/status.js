// The page /status: the operator's figures, asked for anew while the page is looked at.

import { byId } from "./api.js";

const EVERY_MS = 10_000;
const HEADINGS = { ok: "All systems operational", degraded: "Needs attention", unavailable: "Requests can't be served" };

let token = "";
let timer = 0;

const say = (text, bad = false) => {
  byId("said").textContent = text;
  byId("said").classList.toggle("bad", bad);
};

const bytes = (count) => {
  if (count === null || count === undefined) return "–";
  const power = Math.min(4, Math.floor(Math.log2(Math.max(count, 1)) / 10));
  return `${(count / 1024 ** power).toFixed(power ? 1 : 0)} ${["B", "KB", "MB", "GB", "TB"][power]}`;
};
const number = (count) => (count === null || count === undefined ? "–" : count.toLocaleString("en"));
const yes = (value) => (value ? "yes" : "no");
const isCode = (name) => name === name.toUpperCase();
const counts = (values, none) => {
  const named = Object.entries(values).sort(([a], [b]) => isCode(a) - isCode(b)); // codes of errors come last
  const rows = named.map(([name, count]) => [name.replaceAll("_", " ").toLowerCase(), number(count)]);
  return rows.length ? rows : [[none, "–"]];
};

/** Each card: its heading, and names with values. */
function cards({ versions, redis, queue, processes, requests, frames, windows, analyses, scans, webhooks, spool_free_bytes: free }) {
  const running = Object.entries(processes).map(([role, { count, memory_bytes: memory }]) => [role, `${count} · ${bytes(memory)}`]);
  return [
    ["Video queue", queue.up
      ? [["waiting", number(queue.jobs)], ["oldest waits for", `${queue.oldest_s} s`], ["video workers", number(queue.workers)], ["scans open", number(queue.scans_open)], ["webhooks overdue", number(queue.webhooks_overdue)], ["room for uploads", bytes(free)]]
      : [["answers", "no"], ["room for uploads", bytes(free)]]],
    ["Redis", redis.up
      ? [["round trip", `${redis.ping_ms} ms`], ["memory", `${bytes(redis.memory_bytes)} of ${redis.memory_limit_bytes ? bytes(redis.memory_limit_bytes) : "no limit"}`], ["connections", number(redis.clients)], ["persisted to disk", yes(redis.persisting)], ["evicted keys", number(redis.evicted_keys)]]
      : [["answers", "no"]]],
    ["Processes on this machine", running.length ? running : [["counted", "only this one"]]],
    ["Windows", [...counts(windows, "none yet"), ["analyses", number(analyses.count)], ["mean time", analyses.mean_s === null ? "–" : `${analyses.mean_s} s`], ["failed", number(analyses.failed)]]],
    ["Requests", [["answered", number(requests.answered)], ["failed (5xx)", number(requests.failed)], ["unavailable (503)", number(requests.unavailable)]]],
    ["Frames", counts(frames, "none yet")],
    ["Videos", counts(scans, "none yet")],
    ["Webhooks", counts(webhooks, "none yet")],
    ["Versions", Object.entries(versions).map(([name, version]) => [name === "version" ? "Beam" : name, version])],
  ];
}

function show(data) {
  byId("verdict").classList.toggle("bad", data.status !== "ok");
  byId("verdict-title").textContent = HEADINGS[data.status];
  byId("problems").replaceChildren(
    ...data.problems.map((problem) => Object.assign(document.createElement("li"), { textContent: problem })),
  );
  byId("at").textContent = `Updated at ${new Date().toLocaleTimeString()}. Counts start with the service`;
  byId("cards").replaceChildren(
    ...cards(data).map(([heading, rows]) => {
      const card = byId("card-template").content.firstElementChild.cloneNode(true);
      card.querySelector("h2").textContent = heading;
      card.querySelector("dl").replaceChildren(
        ...rows.map(([name, value]) => {
          const row = document.createElement("div");
          row.append(
            Object.assign(document.createElement("dt"), { textContent: name }),
            Object.assign(document.createElement("dd"), { textContent: value }),
          );
          return row;
        }),
      );
      return card;
    }),
  );
  byId("state").hidden = false;
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/status.json", { headers: token ? { Authorization: `Bearer ${token}` } : {} });
    if (answer.status === 404) {
      byId("state").hidden = true;
      byId("token-form").hidden = false;
      if (token) say("This is not the token.", true);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    byId("token-form").hidden = true;
    say("");
    show((await answer.json()).data);
  } catch {
    say("The service does not answer.", true);
  }
  timer = setTimeout(() => (document.hidden ? null : look()), EVERY_MS);
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  look();
});
document.addEventListener("visibilitychange", () => !document.hidden && !byId("state").hidden && look());
look();

// The page /keys: get a key, see its usage, rotate it, revoke it. The key lives in this module and nowhere else.

import { byId, call } from "./api.js";
import { drawChart } from "./chart.js";

let current = null;
let days = [];

new ResizeObserver(() => days.length && drawChart(byId("chart"), byId("days"), days)).observe(byId("chart"));

const say = (text, bad = false) => {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", bad);
};

const day = (iso) => (iso ? new Date(iso).toLocaleDateString(undefined, { dateStyle: "medium" }) : "never");

function told(error) {
  if (error.code === "INVALID_API_KEY") return "This key is unknown, revoked or expired.";
  if (error.status === 429) return `Too many requests. Try again in ${error.retryAfter} s.`;
  return error.message;
}

/** Do one thing at a time, with its buttons off, and tell how it ended. */
async function attempt(what) {
  const buttons = [...document.querySelectorAll("main button")].filter((button) => !button.closest("dialog"));
  for (const button of buttons) button.disabled = true;
  try {
    await what();
  } catch (error) {
    say(told(error), true);
    if (error.code === "INVALID_API_KEY") forget();
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function forget() {
  current = null;
  byId("about").hidden = true;
}

function showNew({ key, expires_at: expires }, sentence) {
  current = key;
  byId("new-key").hidden = false;
  byId("secret").value = key;
  byId("new-key-expiry").textContent = expires ? `It may be used until ${day(expires)}.` : "It does not expire.";
  byId("new-key-title").focus();
  say(sentence);
}

async function showUsage() {
  const { data } = await call("GET", "/api/keys/me", { key: current });
  byId("about-key").textContent = `${data.prefix}…${data.last4}`;
  byId("about-name").textContent = data.name || "none";
  byId("about-tier").textContent = `${data.tier}, ${data.limit_per_minute} requests a minute`;
  byId("about-expires").textContent = day(data.expires_at);
  byId("about-today").textContent = data.usage.today;
  byId("about-month").textContent = data.usage.month;
  byId("about").hidden = false;
  days = data.usage.by_day;
  drawChart(byId("chart"), byId("days"), days);
}

function hideSecret() {
  byId("new-key").hidden = true;
  byId("secret").value = "";
}

function sure(title, text, yes) {
  const dialog = byId("sure");
  byId("sure-title").textContent = title;
  byId("sure-text").textContent = text;
  byId("sure-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}

byId("signup")?.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { data } = await call("POST", "/api/keys", { json: { name: byId("name").value.trim() } });
    showNew(data, "Here is your key.");
    await showUsage();
  });
});

byId("have").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    hideSecret();
    current = byId("key").value.trim();
    await showUsage();
    byId("about-title").focus();
    say("This is how your key stands.");
  });
});

byId("copy").addEventListener("click", async () => {
  byId("secret").select();
  try {
    await navigator.clipboard.writeText(byId("secret").value);
    say("Copied.");
  } catch {
    say("The key is selected: copy it with your keyboard.");
  }
});

byId("rotate").addEventListener("click", async () => {
  if (!(await sure("Rotate this key?", "Whatever uses the old secret is refused from now on.", "Rotate"))) return;
  await attempt(async () => {
    const { data } = await call("POST", "/api/keys/me/rotate", { key: current });
    byId("key").value = "";
    showNew(data, "The key has a new secret. The old one is of no use any more.");
    await showUsage();
  });
});

byId("revoke").addEventListener("click", async () => {
  if (!(await sure("Revoke this key?", "Nothing brings it back.", "Revoke"))) return;
  await attempt(async () => {
    await call("DELETE", "/api/keys/me", { key: current });
    byId("key").value = "";
    hideSecret();
    forget();
    say("The key is revoked.");
    byId("content").focus();
  });
});

// The page /keys: get a key, see its usage, rotate it, revoke it. A key lives in this page, and in this browser if wanted.

import { byId, call } from "./api.js";
import { drawChart } from "./chart.js";
import { forgetKey, isRemembered, remember, remembered, shortened } from "./remembered.js";
import { dropSecret, showSecret } from "./secrets.js";

let current = null; // {key, name}
let usage = null; // {days, limit}

const redraw = () => usage && drawChart(byId("chart"), byId("days"), usage);
new ResizeObserver(redraw).observe(byId("chart"));

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

/** Do one thing at a time, with its buttons off, and say how it ended. */
async function attempt(what) {
  const buttons = [...document.querySelectorAll("main button")].filter((button) => !button.closest("dialog, #fresh"));
  for (const button of buttons) button.disabled = true;
  try {
    await what();
  } catch (error) {
    say(told(error), true);
    if (error.code === "INVALID_API_KEY") leave();
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function leave() {
  current = null;
  usage = null;
  byId("about").hidden = true;
}

function showNew({ key, expires_at: expires }, name, sentence, instead = null) {
  const expiry = expires ? `It may be used until ${day(expires)}.` : "It does not expire.";
  if (instead && isRemembered(instead)) remember(key, name, instead);
  current = { key, name };
  listRemembered();
  say(sentence);
  showSecret({ key, name, expiry }, { say, changed: listRemembered, instead });
}

async function showUsage() {
  let minute = null;
  const headers = (answered) => (minute = Number(answered.get("X-RateLimit-Limit")) - Number(answered.get("X-RateLimit-Remaining")));
  const { data } = await call("GET", "/api/keys/me", { key: current.key, headers });
  current.name = data.name;
  byId("about-key").textContent = `${data.prefix}…${data.last4}`;
  byId("about-name").textContent = data.name || "none";
  byId("about-tier").textContent = `${data.tier}, ${data.limit_per_minute} requests a minute`;
  byId("about-expires").textContent = day(data.expires_at);
  byId("about-today").textContent = data.usage.today;
  byId("about-month").textContent = data.usage.month;
  byId("about-minute").textContent = `${minute} of ${data.limit_per_minute}`;
  Object.assign(byId("minute"), { max: data.limit_per_minute, value: minute });
  byId("about").hidden = false;
  usage = { days: data.usage.by_day, limit: data.limit_per_minute };
  redraw();
}

function listRemembered() {
  const entries = remembered();
  byId("remembered").hidden = !entries.length;
  byId("remembered-keys").replaceChildren(
    ...entries.map(({ key, name }) => {
      const item = document.createElement("li");
      const show = document.createElement("button");
      const drop = document.createElement("button");
      show.type = drop.type = "button";
      show.className = drop.className = "small";
      show.textContent = name ? `${name} (${shortened(key)})` : shortened(key);
      show.addEventListener("click", () => open(key, name));
      drop.textContent = "Forget";
      drop.setAttribute("aria-label", `Forget ${show.textContent}`);
      drop.addEventListener("click", () => {
        forgetKey(key);
        listRemembered();
        say("The key is no longer kept in this browser. It is still good.");
        byId("have-title").focus();
      });
      item.append(show, drop);
      return item;
    }),
  );
}

const open = (key, name = "") =>
  attempt(async () => {
    current = { key, name };
    await showUsage();
    byId("about-title").focus();
    say("This is how your key stands.");
  });

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
    const name = byId("name").value.trim();
    const { data } = await call("POST", "/api/keys", { json: { name } });
    showNew(data, name, "Here is your key.");
    await showUsage();
  });
});

byId("have").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = byId("key").value.trim();
  await open(key);
  if (current?.key !== key || !byId("remember").checked) return;
  if (!remember(key, current.name)) say("This browser keeps nothing for this page.", true);
  listRemembered();
});

byId("rotate").addEventListener("click", async () => {
  if (!(await sure("Rotate this key?", "Whatever uses the old secret is refused from now on.", "Rotate"))) return;
  await attempt(async () => {
    const { key: old, name } = current;
    const { data } = await call("POST", "/api/keys/me/rotate", { key: old });
    byId("key").value = "";
    showNew(data, name, "The key has a new secret. The old one is of no use any more.", old);
    await showUsage();
  });
});

byId("revoke").addEventListener("click", async () => {
  if (!(await sure("Revoke this key?", "Nothing brings it back.", "Revoke"))) return;
  await attempt(async () => {
    const { key } = current;
    await call("DELETE", "/api/keys/me", { key });
    byId("key").value = "";
    dropSecret(key);
    forgetKey(key);
    listRemembered();
    leave();
    say("The key is revoked.");
    byId("content").focus();
  });
});

listRemembered();

// Requests that are sent from the page, with the reader's own key, and their answers as they came.

import { byId } from "../api.js";

/** Send the form's request; its status and its body as text. */
async function send(form, key) {
  const { method } = form.dataset;
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = key ? { "X-API-Key": key } : {};
  let body;
  for (const field of form.querySelectorAll("input, textarea")) {
    const value = field.value.trim();
    const where = field.dataset.in ?? (field.type === "file" ? "form" : "path");
    if (where === "path") {
      path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    } else if (where === "json") {
      headers["Content-Type"] = "application/json";
      body = value;
    } else if (where === "form") {
      body ??= new FormData();
      for (const part of field.files ?? (value ? [value] : [])) body.append(field.name, part);
    } else if (value && where === "query") {
      query.append(field.name, value);
    } else if (value) {
      headers[field.name] = value;
    }
  }
  if (query.size) path += `?${query}`;
  const before = performance.now();
  const answer = await fetch(path, { method, body, headers });
  const text = await answer.text();
  const ms = Math.round(performance.now() - before);
  return { answer, text, line: `${answer.status} ${answer.statusText} in ${ms} ms` };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Let each form send its request; `key` gives the reader's key. */
export function tries(key) {
  for (const form of document.querySelectorAll(".try")) {
    const outcome = form.querySelector(".outcome");
    const shown = form.querySelector("pre");
    const say = (text, bad) => {
      outcome.textContent = text;
      outcome.classList.toggle("bad", bad);
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      shown.hidden = true;
      if (!key() && form.dataset.open === undefined) {
        say("Fill in your key first, at the top of the page.", true);
        byId("own-key").focus();
        return;
      }
      const button = form.querySelector("button");
      button.disabled = true;
      say("Sending …", false);
      try {
        const { answer, text, line } = await send(form, form.dataset.open === undefined ? key() : "");
        say(line, !answer.ok);
        shown.querySelector("code").textContent = pretty(text);
        shown.hidden = !text;
        const session = answer.ok && /"session_id":\s*"(sess_\w+)"/.exec(text)?.[1];
        if (session) for (const field of document.querySelectorAll('.try input[name="session_id"]')) field.value ||= session;
      } catch {
        say("The service can't be reached.", true);
      } finally {
        button.disabled = false;
      }
    });
  }
}

// New secrets: each stays on the page until its holder has it, whatever else is clicked.

import { byId } from "./api.js";
import { forgetKey, isRemembered, remember } from "./remembered.js";

const template = byId("fresh-template");
const shown = new Map(); // key: {node, safe}

addEventListener("beforeunload", (event) => {
  if ([...shown].some(([key, { safe }]) => !safe && !isRemembered(key))) event.preventDefault();
});

async function copy(text, field, say) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
    return true;
  } catch {
    field?.select?.();
    say("This browser does not copy: select the text and copy it with your keyboard.");
    return false;
  }
}

/** Show a secret; one whose place it takes, as after a rotation, goes. */
export function showSecret({ key, name, expiry }, { say, changed, instead = null }) {
  dropSecret(instead);
  const node = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => node.querySelector(selector);
  const entry = { node, safe: false };
  const number = shown.size ? ` ${shown.size + 1}` : "";
  const field = find("input[type=text]");
  field.value = key;
  field.setAttribute("aria-label", `The key${number}`);
  find(".expiry").textContent = expiry;
  const url = location.origin;
  find(".try").textContent = `curl ${url}/api/keys/me \\\n  -H "X-API-Key: ${key}"`;
  find(".measure").textContent = `curl ${url}/api/rppg/measure \\\n  -H "X-API-Key: ${key}" \\\n  -F "frame=@face.jpg"`;
  find(".copy").addEventListener("click", async () => {
    if (await copy(key, field, say)) entry.safe = true;
  });
  field.addEventListener("copy", () => (entry.safe = true));
  for (const button of node.querySelectorAll(".copy-line")) {
    const line = button.parentElement.querySelector("code");
    button.addEventListener("click", () => copy(line.textContent, null, say));
  }
  const box = find("input[type=checkbox]");
  box.checked = isRemembered(key);
  box.addEventListener("change", () => {
    if (!box.checked) forgetKey(key);
    else if (!remember(key, name)) {
      box.checked = false;
      say("This browser keeps nothing for this page.", true);
    }
    changed();
  });
  find(".done").addEventListener("click", () => {
    dropSecret(key);
    byId("content").focus();
  });
  shown.set(key, entry);
  byId("fresh").prepend(node);
  find("h2").focus();
}

export function dropSecret(key) {
  shown.get(key)?.node.remove();
  shown.delete(key);
}

// What the pages of the documentation do: tabs that remember, copying, the reader's key, requests to try, the menu.

import { byId } from "../api.js";
import { remembered, shortened } from "../remembered.js";
import { searches } from "./search.js";
import { tries } from "./try.js";

const LANGUAGE = "beam-language";

/** Show this language wherever there is a choice that has it. */
function choose(language) {
  for (const row of document.querySelectorAll('.tabs [role="tablist"]')) {
    const tabs = [...row.querySelectorAll('[role="tab"]')];
    const chosen = tabs.find((tab) => tab.dataset.language === language);
    if (!chosen) continue;
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  }
}

function pick(tab) {
  const before = tab.getBoundingClientRect().top;
  choose(tab.dataset.language);
  scrollBy(0, tab.getBoundingClientRect().top - before); // examples above may have become longer
  tab.focus({ preventScroll: true });
  try {
    localStorage.setItem(LANGUAGE, tab.dataset.language);
  } catch {
    // this browser keeps nothing: the choice holds for the page
  }
}

function tabs() {
  try {
    choose(localStorage.getItem(LANGUAGE));
  } catch {
    // as they came
  }
  for (const row of document.querySelectorAll('.tabs [role="tablist"]')) {
    const all = [...row.querySelectorAll('[role="tab"]')];
    row.addEventListener("click", ({ target }) => target.dataset.language && pick(target));
    row.addEventListener("keydown", (event) => {
      const at = all.indexOf(document.activeElement);
      const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
      if (next === undefined || at < 0) return;
      event.preventDefault();
      pick(all[(next + all.length) % all.length]);
    });
  }
}

function copies() {
  for (const box of document.querySelectorAll(".code")) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const code = [...box.querySelectorAll("pre")].find((pre) => pre.offsetParent).querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    box.append(button);
  }
}

function ownKey() {
  const box = byId("own-key-box");
  if (!box) return () => "";
  const field = byId("own-key");
  const kept = byId("own-keys");
  const places = [...document.querySelectorAll(".your-key")];
  const fill = () => {
    for (const place of places) place.textContent = field.value.trim() || "beam_sk_your_key";
  };
  box.hidden = false;
  field.addEventListener("input", fill);
  const entries = remembered();
  kept.hidden = !entries.length;
  kept.replaceChildren(
    new Option("Keys on this device", ""),
    ...entries.map(({ key, name }) => new Option(name ? `${name} (${shortened(key)})` : shortened(key), key)),
  );
  kept.addEventListener("change", () => {
    field.value = kept.value;
    fill();
  });
  return () => field.value.trim();
}

function anchors() {
  for (const heading of document.querySelectorAll(".article :is(h2, h3)[id]")) {
    const link = document.createElement("a");
    Object.assign(link, { href: `#${heading.id}`, className: "anchor", textContent: "#" });
    link.setAttribute("aria-label", `Link to ${heading.textContent}`);
    heading.append(link);
  }
}

const menu = byId("menu");
menu.addEventListener("click", () => menu.setAttribute("aria-expanded", String(byId("pages").classList.toggle("open"))));

tabs();
copies();
anchors();
tries(ownKey());
searches(byId("search"), byId("found"));

// The search: an index that the service made, asked in this page. Nothing that is typed leaves it.

const MOST = 12;

let loading = null;

const load = () =>
  (loading ??= fetch("/docs/search.json")
    .then((answer) => answer.json())
    .catch(() => (loading = null)));

/** Sections that hold all words, those that begin like the last one too; headings count most. */
export function find({ sections, words }, text) {
  const asked = text.toLowerCase().match(/[a-z0-9_]+/g) ?? [];
  if (!asked.length) return [];
  const scores = new Map();
  for (const [index, word] of asked.entries()) {
    const held = new Map();
    for (const [known, numbers] of Object.entries(words)) {
      const weight = known === word ? 3 : known.startsWith(word) ? 1 : 0;
      if (weight) for (const number of numbers) held.set(number, Math.max(weight, held.get(number) ?? 0));
    }
    for (const [number, weight] of held) {
      if (index && !scores.has(number)) continue;
      const [, page, heading] = sections[number];
      const named = heading.toLowerCase().includes(word) ? 5 : page.toLowerCase().includes(word) ? 2 : 0;
      scores.set(number, (scores.get(number) ?? 0) + weight + named);
    }
    for (const number of [...scores.keys()]) if (!held.has(number)) scores.delete(number);
  }
  return [...scores].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, MOST).map(([number]) => sections[number]);
}

function option([path, page, heading, beginning], index) {
  const item = document.createElement("li");
  item.id = `found-${index}`;
  item.dataset.path = path;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  const title = document.createElement("b");
  title.textContent = heading === page ? page : `${page} › ${heading}`;
  const more = document.createElement("span");
  more.textContent = beginning;
  item.append(title, more);
  return item;
}

/** Let the field search, and the list show what was found. */
export function searches(field, list) {
  let at = -1;
  const options = () => [...list.querySelectorAll('[role="option"]')];
  const close = () => {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const select = (index) => {
    const all = options();
    if (!all.length) return;
    at = (index + all.length) % all.length;
    for (const [number, item] of all.entries()) item.setAttribute("aria-selected", String(number === at));
    all[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", all[at].id);
  };
  const go = (item) => {
    close();
    location.assign(item.dataset.path);
  };
  const show = async () => {
    const index = await load();
    if (!index || !field.value.trim()) return close();
    const found = find(index, field.value);
    list.replaceChildren(...found.map(option));
    if (!found.length) {
      const none = document.createElement("li");
      Object.assign(none, { className: "nothing", textContent: "Nothing was found." });
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      list.append(none);
    }
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    at = -1;
    if (found.length) select(0);
  };
  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") select(at + 1);
    else if (event.key === "ArrowUp") select(at - 1);
    else if (event.key === "Enter" && !list.hidden && options()[at]?.dataset.path) go(options()[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", ({ target }) => target.closest("[data-path]") && go(target.closest("[data-path]")));
  field.addEventListener("blur", close);
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
    event.preventDefault();
    field.focus();
  });
}

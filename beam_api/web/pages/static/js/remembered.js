// Keys that their holder wants kept in this browser. Nothing is kept unless asked for.

const NAME = "beam-keys";

export function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(kept) ? kept.filter((entry) => typeof entry?.key === "string") : [];
  } catch {
    return []; // storage is off or holds something else
  }
}

function keep(entries) {
  try {
    if (entries.length) localStorage.setItem(NAME, JSON.stringify(entries));
    else localStorage.removeItem(NAME);
    return true;
  } catch {
    return false;
  }
}

export const isRemembered = (key) => remembered().some((entry) => entry.key === key);

/** Keep a key, in the place of `instead` if that is kept; whether it could be. */
export function remember(key, name, instead = key) {
  const entries = remembered();
  const at = entries.findIndex((entry) => entry.key === instead || entry.key === key);
  if (at < 0) entries.push({ key, name });
  else entries[at] = { key, name };
  return keep(entries);
}

export const forgetKey = (key) => keep(remembered().filter((entry) => entry.key !== key));

export const shortened = (key) => `${key.slice(0, 12)}…${key.slice(-4)}`;

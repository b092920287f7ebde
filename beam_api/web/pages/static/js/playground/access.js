// Keys and sessions of a visit, and what their failures mean to a person.

import { byId, call, Failure } from "../api.js";

let visitor = null; // {key, until}

export const ownKey = () => byId("own-key").value.trim();

export async function keyToUse() {
  if (ownKey()) return ownKey();
  if (!visitor || visitor.until < Date.now() + 120_000) {
    const { data } = await call("POST", "/playground/key");
    visitor = { key: data.key, until: Date.parse(data.expires_at) };
  }
  return visitor.key;
}

export const dropVisitor = () => (visitor = null);

export function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `visit-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Nothing of a visit is left at the service when it is over. */
export function forget({ key, session }) {
  call("DELETE", `/api/rppg/sessions/${session}`, { key, keepalive: true }).catch(() => {});
}

export function trouble(error) {
  if (error.status === 401) {
    dropVisitor();
    return ownKey() ? "Your key is unknown, revoked or expired." : "The visitor's key has expired or was revoked. Start again for a new one.";
  }
  if (error.status === 429) return `Too many visits from your address. Try again in ${Math.ceil((error.retryAfter ?? 60) / 60)} min.`;
  if (error.code === "READER_FAILED") return "This browser can't read the face itself. Settings has a switch to send frames instead.";
  return error instanceof Failure || error.name === "BeamError" ? error.message : "Something went wrong on this page.";
}

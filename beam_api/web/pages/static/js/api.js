// Calls to the API, and what their failures mean to a person.

export class Failure extends Error {
  constructor(status, code, message, { guidance = [], retryAfter = null } = {}) {
    super(message);
    Object.assign(this, { status, code, guidance, retryAfter });
  }
}

/**
 * Call a route; the whole body of a good answer (null for 204).
 * `headers` is called with those of a good answer.
 * Throws Failure for an error the service told, with `status` 0 where it could not be reached.
 */
export async function call(method, path, { key, json, form, signal, headers, timeout = 30000, keepalive = false } = {}) {
  const sent = {};
  if (key) sent["X-API-Key"] = key;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  const give = () => abort.abort();
  if (signal?.aborted) give();
  signal?.addEventListener("abort", give, { once: true });
  let answer;
  let body = null;
  try {
    answer = await fetch(path, {
      method,
      headers: sent,
      keepalive,
      body: form ?? (json === undefined ? undefined : JSON.stringify(json)),
      signal: abort.signal,
    });
    const text = await answer.text();
    body = text && (answer.headers.get("Content-Type") ?? "").startsWith("application/json") ? JSON.parse(text) : null;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure(0, "UNREACHABLE", "The service can't be reached.");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", give);
  }
  if (answer.ok && (body || answer.status === 204)) {
    headers?.(answer.headers);
    return body;
  }
  const told = body?.error ?? {};
  const seconds = Number.parseFloat(answer.headers.get("Retry-After") ?? "");
  throw new Failure(answer.status, told.code ?? "UNEXPECTED", told.message ?? `The service answered ${answer.status}.`, {
    guidance: told.guidance,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  });
}

export const byId = (id) => document.getElementById(id);

// A client of the service, for the components and other scripts.

const ANSWERS_KEPT = 50;
const PATIENCE = 60_000; // milliseconds
const kept = new Map(); // answers in this page, by everything they depend on except the index version

/** An error with a message for people. `status` is null if there was no response. */
export class Problem extends Error {
  constructor(detail, { status = null, type = null, retryAfter = null, offline = false } = {}) {
    super(detail);
    this.name = "Problem";
    Object.assign(this, { detail, status, type, retryAfter, offline });
  }
}

export class Client {
  /** `endpoint`: the address of the service; by default, the origin of this script. `token`: an embed token or a key. */
  constructor({ endpoint, token, collection } = {}) {
    this.endpoint = endpoint ? new URL(endpoint.replace(/\/*$/, "/"), document.baseURI).href : own();
    this.token = token || null;
    this.collection = collection || "default";
  }

  /** The response of POST /v1/ask. A cached one is reused while the index version is the same. */
  async ask(question, parameters = {}, signal) {
    const body = { ...parameters, question, collection: this.collection };
    const key = JSON.stringify([this.endpoint, this.token, body]);
    const before = kept.get(key);
    if (before && (await this.version(signal)) === before.index.version) return before;
    const response = await this.post("v1/ask", body, signal);
    kept.delete(key);
    if (!response.skipped.length) kept.set(key, response);
    if (kept.size > ANSWERS_KEPT) kept.delete(kept.keys().next().value);
    return response;
  }

  /** The index version of this collection, or null if this key may not read it. */
  async version(signal) {
    try {
      return (await this.post("v1/citations/verify", { citations: [], collection: this.collection }, signal)).index.version;
    } catch (error) {
      if (error instanceof Problem && error.status === 403) return null;
      throw error;
    }
  }

  text(source, signal) {
    return this.get(`v1/texts/${path(source)}`, { collection: this.collection }, signal);
  }

  async verify(citation, signal) {
    const given = { source: citation.source, sha256: citation.sha256, range: citation.range, quote: citation.quote };
    const body = { citations: [{ ...given, sentences: citation.sentences }], collection: this.collection };
    return (await this.post("v1/citations/verify", body, signal)).citations[0];
  }

  documents(cursor, signal) {
    return this.get("v1/documents", { collection: this.collection, limit: 100, ...(cursor && { cursor }) }, signal);
  }

  put(file, source, signal) {
    const url = `v1/documents/${path(source)}?collection=${encodeURIComponent(this.collection)}`;
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    return this.send(url, { method: "PUT", body: file, headers }, signal);
  }

  /** Whether this key may write: tested with a PUT whose condition never holds. */
  async mayWrite(signal) {
    const options = { method: "PUT", body: "", headers: { "If-Match": '"none"', "Content-Type": "text/plain" } };
    try {
      await this.send(`v1/documents/none.txt?collection=${encodeURIComponent(this.collection)}`, options, signal);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return error.status === 412;
    }
    return true;
  }

  ready(signal) {
    return this.get("ready", {}, signal);
  }

  /** The URL of the original file. */
  file(source) {
    return new URL(`v1/files/${path(source)}?collection=${encodeURIComponent(this.collection)}`, this.endpoint).href;
  }

  get(where, parameters, signal) {
    const query = new URLSearchParams(parameters).toString();
    return this.send(query ? `${where}?${query}` : where, {}, signal);
  }

  post(where, body, signal) {
    const headers = { "Content-Type": "application/json" };
    return this.send(where, { method: "POST", body: JSON.stringify(body), headers }, signal);
  }

  async send(where, { headers = {}, ...options }, signal) {
    const key = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const patience = AbortSignal.timeout(PATIENCE);
    const either = signal ? AbortSignal.any([signal, patience]) : patience;
    const request = { ...options, headers: { ...headers, ...key }, signal: either, credentials: "omit" };
    try {
      const response = await fetch(new URL(where, this.endpoint), request);
      if (!response.ok) throw await problemOf(response);
      return await response.json();
    } catch (error) {
      if (error instanceof Problem || signal?.aborted) throw error;
      if (error.name === "TimeoutError") throw new Problem("The service took too long to answer.");
      if (!navigator.onLine) throw new Problem("You are offline.", { offline: true });
      throw new Problem("The service is unreachable, or does not allow this page.");
    }
  }
}

function own() {
  return new URL("..", import.meta.url).href;
}

function path(source) {
  return source.split("/").map(encodeURIComponent).join("/");
}

async function problemOf(response) {
  const told = await response.json().catch(() => ({}));
  const detail = typeof told.detail === "string" && told.detail ? told.detail : `The service answered ${response.status}.`;
  const retryAfter = seconds(response.headers.get("Retry-After"));
  return new Problem(detail, { status: response.status, type: told.type ?? null, retryAfter });
}

/** Retry-After: a number of seconds or a date. */
function seconds(header) {
  if (!header) return null;
  const given = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(given) ? Math.max(0, Math.ceil(given)) : null;
}

// What happened, for assertions: one entry for each request and a count of each event. Names and
// identifiers only; no code, token, secret, cookie or state ever enters it.

import { wallSeconds } from './clock.mjs';

const LIMIT = 50_000;
const SHOWN = ['grant_type', 'client_id', 'scope', 'redirect_uri', 'assume_group'];

const EVENTS = [
  'authorization.success', 'authorization.accepted',
  'device_authorization.success',
  'grant.success', 'grant.revoked',
  'refresh_token.saved', 'refresh_token.consumed', 'refresh_token.destroyed',
  'access_token.issued', 'client_credentials.issued',
];
const ERROR_EVENTS = ['authorization.error', 'grant.error', 'revocation.error', 'server_error'];

export class Journal {
  #entries = [];
  #counts = {};
  #seq = 0;

  count(name) {
    this.#counts[name] = (this.#counts[name] ?? 0) + 1;
  }

  begin(route, req, pathname) {
    const entry = {
      seq: ++this.#seq,
      time: wallSeconds(),
      route,
      method: req.method,
      path: pathname,
      user_agent: req.headers['user-agent'] ?? null,
      status: null,
      error: null,
      fault: null,
      duration: null,
    };
    this.#entries.push(entry);
    if (this.#entries.length > LIMIT) this.#entries.shift();
    return entry;
  }

  describe(entry, parameters, basicUser) {
    for (const name of SHOWN) entry[name] = parameters.get(name);
    entry.client_id ??= basicUser;
    this.count(`requests.${entry.route}`);
    if (entry.grant_type) this.count(`requests.${entry.route}.${entry.grant_type}`);
  }

  /** The status the server decided on, whether or not a fault lets the client see it. */
  answered(entry, status, body) {
    entry.status = status;
    entry.duration = wallSeconds() - entry.time;
    try {
      entry.error = JSON.parse(body).error ?? null;
    } catch {
      entry.error = null;
    }
  }

  watch(provider) {
    for (const name of EVENTS) provider.on(name, () => this.count(name));
    for (const name of ERROR_EVENTS) {
      provider.on(name, (_ctx, error) => {
        this.count(name);
        this.count(`${name}.${error.error ?? error.name}`);
        if (name === 'server_error') console.error(error);
      });
    }
  }

  entries({ route, since = 0 } = {}) {
    return this.#entries.filter((entry) => entry.seq > since && (!route || entry.route === route));
  }

  counters() {
    return { ...this.#counts };
  }

  clear() {
    this.#entries = [];
    this.#counts = {};
  }
}

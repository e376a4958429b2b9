// What may change while the server runs.

import { setOffset } from './clock.mjs';

const DEFAULTS = {
  access_ttl: 3600,
  refresh_ttl: 7 * 86_400,
  code_ttl: 60,
  session_ttl: null, // absolute lifetime of a login, whatever is refreshed; null: none
  rotate: true,
  clock_offset: 0,
  unauthorized_status: 401,
};

export class Settings {
  #initial;

  constructor(options) {
    this.#initial = { ...DEFAULTS, ...options };
    this.reset();
  }

  update(changes) {
    for (const name of Object.keys(changes)) {
      if (!(name in DEFAULTS)) throw new Error(`unknown setting ${name}`);
    }
    Object.assign(this, changes);
    setOffset(this.clock_offset);
  }

  reset() {
    this.update(this.#initial);
  }
}

// Where the provider keeps what it issued. Its own memory adapter forgets after a thousand entries,
// which a soak test passes, and cannot be asked what became of a refresh token.

import { createHash } from 'node:crypto';

import { now } from './clock.mjs';

const sha256 = (value) => createHash('sha256').update(value).digest('hex');

export class Store {
  #rows = new Map();
  #members = new Map();
  #revoked = new Set();
  #accessTokens = new Map();

  /** The adapter factory that the provider calls once for each model. */
  adapter = (model) => ({
    upsert: async (id, payload) => this.put(model, id, payload),
    find: async (id) => this.#rows.get(`${model}:${id}`),
    findByUid: async (uid) => this.#first(model, (row) => row.uid === uid),
    findByUserCode: async (userCode) => this.#first(model, (row) => row.userCode === userCode),
    consume: async (id) => {
      this.#rows.get(`${model}:${id}`).consumed = Math.floor(now() / 1000);
    },
    destroy: async (id) => this.#forget(`${model}:${id}`),
    revokeByGrantId: async (grantId) => this.#revokeMembers(grantId),
  });

  put(model, id, payload) {
    const key = `${model}:${id}`;
    this.#rows.set(key, payload);
    if (payload.grantId) {
      if (!this.#members.has(payload.grantId)) this.#members.set(payload.grantId, new Set());
      this.#members.get(payload.grantId).add(key);
    }
  }

  #first(model, matches) {
    for (const [key, row] of this.#rows) {
      if (key.startsWith(`${model}:`) && matches(row)) return row;
    }
    return undefined;
  }

  #forget(key) {
    // A refresh token that died is told apart from one that never was.
    if (key.startsWith('RefreshToken:') && this.#rows.has(key)) this.#revoked.add(key);
    this.#rows.delete(key);
  }

  #revokeMembers(grantId) {
    for (const key of this.#members.get(grantId) ?? []) this.#forget(key);
    this.#members.delete(grantId);
  }

  /** Access tokens are JWTs, which no adapter sees: their events tell which grant each belongs to. */
  recordAccessToken(token) {
    this.#accessTokens.set(token.jti, { grantId: token.grantId });
  }

  accessTokenLives(jti) {
    const record = this.#accessTokens.get(jti);
    if (!record) return false;
    return !record.grantId || this.#rows.has(`Grant:${record.grantId}`);
  }

  grantOf(jti) {
    return this.#rows.get(`Grant:${this.#accessTokens.get(jti)?.grantId}`);
  }

  /** Every access token issued so far is refused from now on, as after a workspace-wide revocation. */
  rejectAccessTokens() {
    this.#accessTokens.clear();
  }

  refreshTokenState(token) {
    const key = `RefreshToken:${token}`;
    const row = this.#rows.get(key);
    if (!row) return this.#revoked.has(key) ? 'revoked' : 'unknown';
    if (row.consumed) return 'consumed';
    return row.exp * 1000 <= now() ? 'expired' : 'current';
  }

  /** SHA-256 of each refresh token that would be honoured now: the tokens themselves stay here. */
  currentRefreshTokens({ user, client_id: clientId } = {}) {
    const hashes = [];
    for (const [key, row] of this.#rows) {
      if (!key.startsWith('RefreshToken:')) continue;
      if ((user && row.accountId !== user) || (clientId && row.clientId !== clientId)) continue;
      const token = key.slice('RefreshToken:'.length);
      if (this.refreshTokenState(token) === 'current') hashes.push(sha256(token));
    }
    return hashes;
  }

  revokeGrants({ user, client_id: clientId } = {}) {
    let revoked = 0;
    for (const [key, row] of this.#rows) {
      if (!key.startsWith('Grant:')) continue;
      if ((user && row.accountId !== user) || (clientId && row.clientId !== clientId)) continue;
      this.#revokeMembers(key.slice('Grant:'.length));
      this.#rows.delete(key);
      revoked += 1;
    }
    return revoked;
  }
}

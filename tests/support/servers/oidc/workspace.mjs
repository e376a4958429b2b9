// The few routes of a workspace that surround its OAuth service: the discovery document and the
// answers to "who am I?".

import { createHash } from 'node:crypto';

import { importJWK, jwtVerify } from 'jose';

import { claimsOf } from './config.mjs';

const json = (status, body, headers = {}) => ({ status, body: JSON.stringify(body), headers });

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Workspace {
  #key;

  constructor({ host, issuer, accountId, settings, store, provider, publicJwk }) {
    Object.assign(this, { host, issuer, accountId, settings, store, provider });
    this.#key = importJWK(publicJwk);
  }

  /** The answer for a route that is the workspace's own, or undefined. */
  async answer(route, req) {
    try {
      switch (route) {
        case 'config': return json(200, this.#config());
        case 'me': return json(200, await this.#me(req));
        case 'userinfo': return json(200, await this.#userinfo(req));
        case 'other': return json(404, { error_code: 'ENDPOINT_NOT_FOUND', message: 'No API found' });
        default: return undefined;
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return json(
        error.status,
        { error_code: String(error.status), message: error.message },
        { 'www-authenticate': 'Bearer error="invalid_token"' },
      );
    }
  }

  #config() {
    const common = { cloud: 'AWS', token_federation_default_oidc_audiences: [this.host] };
    if (this.accountId) {
      return {
        ...common,
        oidc_endpoint: `${this.host}/oidc/accounts/{account_id}`,
        account_id: this.accountId,
        host_type: 'account',
      };
    }
    return {
      ...common,
      oidc_endpoint: this.issuer,
      workspace_id: '1234567890123456',
      host_type: 'workspace',
    };
  }

  async #token(req) {
    const [, bearer] = /^Bearer ([^ ]+)$/i.exec(req.headers.authorization ?? '') ?? [];
    if (!bearer) throw new Refusal(401, 'Credential was not sent or was of an unsupported type');
    let payload;
    try {
      ({ payload } = await jwtVerify(bearer, await this.#key, {
        issuer: this.issuer,
        audience: this.host,
        typ: 'at+jwt',
        currentDate: new Date(Date.now()),
      }));
    } catch (error) {
      const expired = error.code === 'ERR_JWT_EXPIRED';
      throw new Refusal(
        this.settings.unauthorized_status,
        expired ? 'Access token expired' : 'Invalid access token',
      );
    }
    // A JWT says nothing about a revoked grant: ask the store (RFC 7009 section 2.1).
    if (!this.store.accessTokenLives(payload.jti)) {
      throw new Refusal(this.settings.unauthorized_status, 'Invalid access token');
    }
    return payload;
  }

  /** SCIM `Me`, with the fields that databricks-sdk reads. */
  async #me(req) {
    const { sub, scope = '' } = await this.#token(req);
    if (!scope.split(' ').includes('all-apis')) {
      throw new Refusal(403, 'Provided OAuth token does not have required scopes: all-apis');
    }
    const id = createHash('sha256').update(sub).digest().readUIntBE(0, 6);
    const person = sub.includes('@');
    return {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
      id: String(id),
      userName: sub,
      displayName: sub.split('@')[0],
      active: true,
      ...(person && { emails: [{ type: 'work', value: sub, primary: true }] }),
      groups: [{ display: 'users', type: 'direct', value: '1001' }],
    };
  }

  /** The library serves userinfo for opaque tokens without an audience only; ours are JWTs. */
  async #userinfo(req) {
    const { sub, jti } = await this.#token(req);
    const granted = this.store.grantOf(jti)?.openid?.scope?.split(' ') ?? [];
    if (!granted.includes('openid')) throw new Refusal(403, 'insufficient_scope');
    return claimsOf(sub);
  }
}

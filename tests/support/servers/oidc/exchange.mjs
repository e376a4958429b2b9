// RFC 8693 token exchange, which the library leaves to its users: a subject token of the test's own
// identity provider becomes an access token, as under a Databricks federation policy.

import { SignJWT, generateKeyPair, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const FOREIGN_ISSUER = 'https://idp.example.com';

class Federation {
  #keys;

  constructor(audience) {
    this.audience = audience;
    this.#keys = generateKeyPair('ES256');
  }

  /** A subject token as a CI system or a company's identity provider would issue it. */
  async mint({ subject, audience = this.audience, lifetime = 300 }) {
    const { privateKey } = await this.#keys;
    const seconds = Math.floor(Date.now() / 1000);
    return new SignJWT({})
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(FOREIGN_ISSUER)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + lifetime)
      .sign(privateKey);
  }

  async verify(token) {
    const { publicKey } = await this.#keys;
    const { payload } = await jwtVerify(token, publicKey, {
      issuer: FOREIGN_ISSUER,
      audience: this.audience,
      currentDate: new Date(Date.now()),
    });
    return payload;
  }
}

export function registerExchange(provider, { host, scopes }) {
  const federation = new Federation(host);

  async function exchange(ctx) {
    const { params, client } = ctx.oidc;
    if (params.subject_token_type !== JWT_TYPE) {
      throw new errors.InvalidRequest('subject_token_type must be a JWT');
    }
    let subject;
    try {
      ({ sub: subject } = await federation.verify(params.subject_token ?? ''));
    } catch (cause) {
      throw new errors.InvalidGrant('subject token not accepted', undefined, { cause });
    }
    const wanted = new Set((params.scope ?? scopes).split(' '));
    const token = new provider.AccessToken({ accountId: subject, client, gty: EXCHANGE_GRANT });
    token.resourceServer = new provider.ResourceServer(host, {
      scope: scopes,
      audience: host,
      accessTokenFormat: 'jwt',
    });
    token.scope = scopes.split(' ').filter((scope) => wanted.has(scope)).join(' ');
    ctx.oidc.entity('AccessToken', token);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: token.scope,
    };
  }

  provider.registerGrantType(EXCHANGE_GRANT, exchange, [
    'subject_token', 'subject_token_type', 'requested_token_type', 'scope', 'audience', 'resource',
    'assume_group',
  ]);
  return federation;
}

// The certified provider, configured as Databricks' OAuth service presents itself.

import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider from 'oidc-provider';

import { EXCHANGE_GRANT, registerExchange } from './exchange.mjs';

export const API_SCOPES = 'all-apis sql';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const DAY = 86_400;

export const routes = {
  authorization: '/v1/authorize',
  token: '/v1/token',
  revocation: '/v1/revoke',
  userinfo: '/v1/userinfo',
  device_authorization: '/v1/device_authorization',
  code_verification: '/device',
  jwks: '/jwks.json',
};

export function claimsOf(accountId) {
  return {
    sub: accountId,
    email: accountId,
    email_verified: true,
    name: accountId.split('@')[0],
    preferred_username: accountId,
  };
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'lakekey-test' };
}

function ttl(settings) {
  const seconds = () => Math.floor(Date.now() / 1000);
  return {
    AccessToken: () => settings.access_ttl,
    ClientCredentials: () => settings.access_ttl,
    AuthorizationCode: () => settings.code_ttl,
    RefreshToken: (_ctx, token) => {
      if (!settings.session_ttl) return settings.refresh_ttl;
      const left = token.iiat + settings.session_ttl - seconds();
      return Math.max(1, Math.min(settings.refresh_ttl, left));
    },
    IdToken: 3600,
    DeviceCode: 600,
    // Longer than any clock step a test makes, so that a sign-in under way survives it.
    Grant: 400 * DAY,
    Interaction: 30 * DAY,
    Session: 30 * DAY,
  };
}

function resourceIndicators(host) {
  return {
    enabled: true,
    defaultResource: () => host,
    useGrantedResource: () => true,
    getResourceServerInfo: () => ({ scope: API_SCOPES, audience: host, accessTokenFormat: 'jwt' }),
  };
}

export function createProvider({ host, issuer, settings, store, deviceFlow }) {
  const key = signingKey();
  const provider = new Provider(issuer, {
    adapter: store.adapter,
    jwks: { keys: [key] },
    routes,
    ttl: ttl(settings),
    cookies: { keys: [randomBytes(32).toString('hex')] },
    scopes: ['openid', 'offline_access', ...API_SCOPES.split(' ')],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username'],
    },
    // Claims of the requested scopes in the ID token itself, where Databricks has them.
    conformIdTokenClaims: false,
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => claimsOf(id) }),
    pkce: { required: () => true },
    rotateRefreshToken: () => settings.rotate,
    issueRefreshToken: (_ctx, client, source) => (
      client.grantTypeAllowed('refresh_token') && source.scopes.has('offline_access')
    ),
    // A refresh token outlives the browser's session: the command line has no browser to keep.
    expiresWithSession: () => false,
    responseTypes: ['code'],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    features: {
      clientCredentials: { enabled: true },
      // On by default in the library, and nothing that Databricks offers.
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      deviceFlow: { enabled: deviceFlow },
      devInteractions: { enabled: true },
      resourceIndicators: resourceIndicators(host),
      revocation: { enabled: true },
    },
  });
  const federation = registerExchange(provider, { host, scopes: API_SCOPES });
  provider.on('access_token.issued', (token) => store.recordAccessToken(token));
  provider.on('client_credentials.issued', (token) => store.recordAccessToken(token));
  return { provider, federation, publicJwk: { kty: key.kty, n: key.n, e: key.e, alg: 'RS256' } };
}

/** Registers a client, at the start or at run time: the provider asks the store for each one. */
export function addClient(store, metadata, deviceFlow) {
  const client = { grant_types: ['authorization_code', 'refresh_token'], ...metadata };
  if (deviceFlow && client.grant_types.includes('refresh_token')) client.grant_types.push(DEVICE_GRANT);
  if (client.grant_types.includes('authorization_code')) client.response_types ??= ['code'];
  else Object.assign(client, { redirect_uris: [], response_types: [] });
  store.put('Client', client.client_id, client);
}

const publicNative = (clientId, ports) => ({
  client_id: clientId,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ports.flatMap((port) => [`http://localhost:${port}`, `http://127.0.0.1:${port}`]),
});

export function builtInClients({ custom_app: app, service_principal: principal, federation }) {
  return [
    publicNative('databricks-cli', [8020]),
    publicNative('databricks-sql-python', [8020, 8021, 8022, 8023, 8024]),
    { ...app, application_type: 'web', token_endpoint_auth_method: 'client_secret_basic' },
    {
      ...principal,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
    },
    ...federation.map((clientId) => ({
      client_id: clientId,
      token_endpoint_auth_method: 'none',
      grant_types: [EXCHANGE_GRANT],
    })),
  ];
}

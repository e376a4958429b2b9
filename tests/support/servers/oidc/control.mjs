// The tests' side door: plain HTTP on another loopback port, under a path that cannot be guessed.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { addClient } from './config.mjs';

async function readJson(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
}

function operations(server) {
  const { front, journal, faults, holds, settings, store, federation, deviceFlow } = server;
  return {
    log: (query) => journal.entries(query),
    counters: () => journal.counters(),
    fault: (fault) => faults.add(fault),
    faults: () => faults.list(),
    clear_faults: ({ id }) => faults.clear(id),
    hold: (hold) => holds.add(hold),
    arrivals: ({ id, ...options }) => holds.arrivals(id, options),
    release: ({ id, ...options }) => holds.release(id, options),
    settings: (changes) => settings.update(changes),
    token_state: ({ token }) => store.refreshTokenState(token),
    current_refresh_tokens: (query) => store.currentRefreshTokens(query),
    revoke: (query) => store.revokeGrants(query),
    reject_access_tokens: () => store.rejectAccessTokens(),
    add_client: (metadata) => addClient(store, metadata, deviceFlow),
    subject_token: (claims) => federation.mint(claims),
    offline: () => front.offline(),
    online: () => front.listen(),
    settle: () => front.settled(),
    reset: () => {
      faults.clear();
      holds.clear();
      settings.reset();
      journal.clear();
    },
  };
}

/** Starts the control plane and answers with its address. */
export async function startControl(server) {
  const table = operations(server);
  const secret = randomBytes(24).toString('base64url');
  const http = createServer(async (req, res) => {
    const [, token, name, ...rest] = req.url.split('/');
    const known = token === secret && rest.length === 0 && Object.hasOwn(table, name);
    if (!known || req.method !== 'POST') {
      res.writeHead(404).end();
      return;
    }
    try {
      const result = await table[name](await readJson(req));
      res.end(JSON.stringify({ result: result ?? null }));
    } catch (error) {
      res.writeHead(400).end(JSON.stringify({ error: error.message }));
    }
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return `http://127.0.0.1:${http.address().port}/${secret}`;
}

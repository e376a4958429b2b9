// The HTTPS host: routes, the request log, and the door at which faults and holds stand.

import { once } from 'node:events';
import { createServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

import { now } from './clock.mjs';
import { routes } from './config.mjs';
import { deliver, standIn } from './faults.mjs';

const BODY_LIMIT = 256 * 1024;
const EXCHANGE = 'token-exchange';

async function readBody(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Error('request body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('latin1');
}

function basicUser(req) {
  const [, encoded] = /^Basic (.+)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (!encoded) return null;
  return decodeURIComponent(Buffer.from(encoded, 'base64').toString('latin1').split(':')[0]);
}

function routeOf(pathname, mount) {
  if (pathname === '/.well-known/databricks-config') return 'config';
  if (pathname === '/api/2.0/preview/scim/v2/Me') return 'me';
  if (!pathname.startsWith(`${mount}/`)) return 'other';
  const path = pathname.slice(mount.length);
  if (path.startsWith('/.well-known/')) return 'discovery';
  if (path.startsWith('/interaction/')) return 'interaction';
  if (path.startsWith(`${routes.authorization}/`)) return 'resume';
  if (path.startsWith(routes.code_verification)) return 'device';
  const [name] = Object.entries(routes).find(([, route]) => route === path) ?? ['other'];
  return { authorization: 'authorize', revocation: 'revoke' }[name] ?? name;
}

/** Databricks gives a refresh token for `offline_access` alone; OpenID Connect wants prompt=consent. */
function askForConsent(url) {
  const scope = url.searchParams.get('scope') ?? '';
  if (!scope.split(' ').includes('offline_access')) return;
  const prompt = new Set((url.searchParams.get('prompt') ?? '').split(' ').filter(Boolean));
  url.searchParams.set('prompt', [...prompt.add('consent')].join(' '));
}

/** The connection as a fault sees it; `end` is the real one, under the door. */
function connection(res, end) {
  return {
    socket: res.socket,
    head: (status, headers) => res.writeHead(status, headers),
    write: (data, done) => res.write(data, done),
    end,
    closed: () => res.destroyed || res.socket === null,
    // A client that hangs up never drains: wake on either.
    drained: () => new Promise((resolve) => {
      const done = () => {
        res.off('drain', done).off('close', done);
        resolve();
      };
      res.on('drain', done).on('close', done);
    }),
    // Through TLS as an RST: what a load balancer that restarts looks like.
    reset: () => (res.socket._parent ?? res.socket).resetAndDestroy(),
  };
}

export class Front {
  #server;
  #callback;
  #port = 0;
  #turn = Promise.resolve();
  #undecided = 0;

  constructor({ key, cert, mount, journal, faults, holds, federationClient }) {
    Object.assign(this, { mount, journal, faults, holds, federationClient });
    this.#server = createServer({ key, cert, keepAlive: true }, (req, res) => {
      this.#serve(req, res).catch((error) => {
        console.error(error);
        req.socket.destroy();
      });
    });
    // A kept connection must not be closed under a client that is about to use it again.
    this.#server.keepAliveTimeout = 75_000;
    this.#server.on('tlsClientError', () => {});
  }

  async listen(port = this.#port) {
    this.#server.listen({ port, host: '127.0.0.1', backlog: 511 });
    await once(this.#server, 'listening');
    this.#port = this.#server.address().port;
    return this.#port;
  }

  /** Refuses connections on the same port until `listen` is called again. */
  async offline() {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  /** Waits until the server has made up its mind about every request it is working on. */
  async settled() {
    while (this.#undecided > 0) await sleep(2);
  }

  mountProvider(provider, workspace) {
    this.#callback = provider.callback();
    this.workspace = workspace;
  }

  async #serve(req, res) {
    const url = new URL(req.url, 'https://front');
    const route = routeOf(url.pathname, this.mount);
    // The last part of these paths names one sign-in in progress: not for the log.
    const path = ['interaction', 'resume'].includes(route)
      ? url.pathname.replace(/(authorize|interaction)\/[^/]+/, '$1/*') : url.pathname;
    const entry = this.journal.begin(route, req, path);
    const body = await readBody(req);
    const parameters = new URLSearchParams(req.method === 'POST' ? body : url.search);
    this.journal.describe(entry, parameters, basicUser(req));
    res.setHeader('Date', new Date(now()).toUTCString());

    if (!await this.holds.pass('before', entry)) return req.socket.destroy();
    const fault = this.faults.take(entry);
    const end = res.end.bind(res);
    const spoils = fault && (fault.processed || fault.kind === 'edit');
    if (fault && !spoils && fault.kind !== 'delay') {
      return deliver(fault, standIn(fault), connection(res, end));
    }
    this.#door(res, end, entry, spoils ? fault : undefined);
    if (fault?.kind === 'delay' && !spoils) {
      await sleep(fault.seconds * 1000);
    }
    this.#undecided += 1;
    try {
      await this.#process(route, url, body, parameters, req, res);
    } finally {
      this.#undecided -= 1;
    }
    // Nothing is sent to a client that is gone, so nothing came through the door.
    if (entry.status === null && res.destroyed) this.journal.answered(entry, res.statusCode, '');
  }

  /** Every answer ends here once the server has decided on it, and before a byte of it is sent. */
  #door(res, end, entry, fault) {
    res.end = (chunk = '') => {
      res.end = end;
      const body = Buffer.from(chunk);
      this.journal.answered(entry, res.statusCode, body);
      this.#leave(res, end, entry, fault, body).catch((error) => {
        console.error(error);
        res.socket?.destroy();
      });
      return res;
    };
  }

  async #leave(res, end, entry, fault, body) {
    if (!await this.holds.pass('after', entry)) return res.socket?.destroy();
    if (!fault || res.destroyed) return end(body);
    const answer = { status: res.statusCode, headers: res.getHeaders(), body };
    return deliver(fault, answer, connection(res, end));
  }

  async #process(route, url, body, parameters, req, res) {
    const own = await this.workspace.answer(route, req);
    if (own) {
      res.statusCode = own.status;
      res.setHeader('content-type', 'application/json');
      for (const [name, value] of Object.entries(own.headers)) res.setHeader(name, value);
      return res.end(own.body);
    }
    if (route === 'authorize' && req.method === 'GET') askForConsent(url);
    if (route === 'token' && parameters.get('grant_type')?.endsWith(EXCHANGE)
        && !parameters.has('client_id') && !req.headers.authorization) {
      // Account-wide federation names no client; the library knows no request without one.
      parameters.set('client_id', this.federationClient);
      req.body = parameters.toString();
    }
    req.body ??= body;
    req.originalUrl = url.pathname + url.search;
    req.url = req.originalUrl.slice(this.mount.length);
    if (route !== 'token') return this.#callback(req, res);
    // The library leaves it to the database that of two requests with one refresh token only one
    // is served; ours has no transactions, so token requests take turns.
    this.#turn = this.#turn.then(() => this.#callback(req, res));
    return this.#turn;
  }
}

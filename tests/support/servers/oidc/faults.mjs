// Trouble on request. A fault either stands in for the provider (nothing is committed) or, with
// `processed`, spoils the answer after the provider has committed: the case in which a single-use
// refresh token is spent and its successor never arrives.

import { setTimeout as sleep } from 'node:timers/promises';

export const KINDS = new Set([
  'status', 'delay', 'hang', 'drop', 'reset', 'html', 'garbage', 'empty', 'truncated', 'oversized',
  'drip', 'edit',
]);

const MADE_UP = JSON.stringify({
  access_token: 'made-up-by-a-fault',
  token_type: 'Bearer',
  expires_in: 3600,
});
const PAGE = '<!DOCTYPE html><html><head><title>Sign in</title></head><body>Unavailable</body></html>';

export class Faults {
  #active = [];
  #next = 0;

  add(fault) {
    if (!KINDS.has(fault.kind)) throw new Error(`unknown kind of fault: ${fault.kind}`);
    const id = ++this.#next;
    this.#active.push({ times: 1, skip: 0, hits: 0, ...fault, id, held: new Set() });
    return id;
  }

  list() {
    return this.#active.map(({ held, ...fault }) => fault);
  }

  /** Ends a fault, or all of them; connections it kept hanging are closed. */
  clear(id) {
    for (const fault of this.#active) {
      if (id && fault.id !== id) continue;
      for (const socket of fault.held) socket.destroy();
      fault.cleared = true;
    }
    this.#active = this.#active.filter((fault) => !fault.cleared);
  }

  take(entry) {
    for (const fault of this.#active) {
      if (fault.times !== null && fault.hits >= fault.times) continue;
      if (fault.route !== '*' && fault.route !== entry.route) continue;
      if (fault.grant_type && fault.grant_type !== entry.grant_type) continue;
      if (fault.client_id && fault.client_id !== entry.client_id) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
        continue;
      }
      fault.hits += 1;
      entry.fault = fault.kind;
      return fault;
    }
    return undefined;
  }
}

const json = (body) => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(body),
});

/** The answer a fault starts from when the provider was not asked. */
export function standIn(fault) {
  return json(fault.kind === 'edit' ? '{}' : MADE_UP);
}

function edited(fault, answer) {
  let body = answer.body;
  if (fault.set || fault.remove) {
    const fields = { ...JSON.parse(body), ...fault.set };
    for (const name of fault.remove ?? []) delete fields[name];
    body = Buffer.from(JSON.stringify(fields));
  }
  return {
    status: fault.status ?? answer.status,
    headers: { ...answer.headers, ...fault.headers },
    body,
  };
}

function replaced(fault) {
  const body = typeof fault.body === 'string' ? fault.body : JSON.stringify(fault.body ?? {});
  return { ...json(body), status: fault.status ?? 503, ...headersOf(fault) };
}

const headersOf = (fault) => (
  { headers: { 'content-type': 'application/json', ...fault.headers } }
);

function send(out, answer) {
  out.head(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  out.end(answer.body);
}

async function flood(out, size) {
  const chunk = Buffer.alloc(65_536, 'A');
  out.head(200, { 'content-type': 'application/json' });
  out.write('{"access_token":"');
  for (let sent = 0; sent < size && !out.closed(); sent += chunk.length) {
    if (!out.write(chunk)) await out.drained();
  }
  out.end('"}');
}

async function drip(out, answer, interval) {
  out.head(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  for (const byte of answer.body) {
    if (out.closed()) return;
    out.write(Buffer.of(byte));
    await sleep(interval * 1000);
  }
  out.end();
}

/** Carries a fault out on one answer. `out` is the connection as front.mjs presents it. */
export async function deliver(fault, answer, out) {
  if (fault.seconds && fault.kind !== 'drip') await sleep(fault.seconds * 1000);
  switch (fault.kind) {
    case 'status': return send(out, replaced(fault));
    case 'delay': return send(out, answer);
    case 'edit': return send(out, edited(fault, answer));
    case 'hang': return fault.held.add(out.socket);
    case 'drop': return out.socket.destroy();
    case 'reset': return out.reset();
    case 'empty': return send(out, json(''));
    case 'garbage': return send(out, json('\x00\xff{"access_token": nonsense'));
    case 'html': return send(out, {
      status: fault.status ?? 200,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      body: Buffer.from(fault.body ?? PAGE),
    });
    case 'truncated':
      out.head(answer.status, { ...answer.headers, 'content-length': answer.body.length });
      return out.write(answer.body.subarray(0, answer.body.length >> 1), () => out.socket.destroy());
    case 'oversized': return flood(out, fault.size ?? 64 * 1024 * 1024);
    case 'drip': return drip(out, answer, fault.seconds ?? 0.2);
    default: throw new Error(`fault ${fault.kind} is not carried out`);
  }
}

// oidc-provider in Databricks' shape, started by tests/support/servers/oidc_server.py.
//
// The first line of standard input is the options as JSON (so that no secret stands in argv); the
// end of standard input is the end of the server. Standard output carries one line: the addresses.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { addClient, builtInClients, createProvider } from './config.mjs';
import { startControl } from './control.mjs';
import { Faults } from './faults.mjs';
import { Front } from './front.mjs';
import { Holds } from './holds.mjs';
import { Journal } from './journal.mjs';
import { Settings } from './settings.mjs';
import { Store } from './store.mjs';
import { Workspace } from './workspace.mjs';

// The library reports on console.info, which is standard output: keep that for the ready line.
console.info = console.error;
console.log = console.error;

/** Never outlive the tests: their end closes our input; a fork of theirs may keep it open. */
function followParent(input) {
  const parent = process.ppid;
  input.on('close', () => process.exit(0));
  setInterval(() => process.ppid !== parent && process.exit(0), 500).unref();
}

async function start(options) {
  const mount = options.account_id ? `/oidc/accounts/${options.account_id}` : '/oidc';
  const settings = new Settings(options.settings);
  const [store, journal, faults, holds] = [new Store(), new Journal(), new Faults(), new Holds()];
  const front = new Front({
    key: readFileSync(options.key),
    cert: readFileSync(options.cert),
    mount,
    journal,
    faults,
    holds,
    federationClient: options.clients.federation[0],
  });
  const host = `https://127.0.0.1:${await front.listen(options.port)}`;
  const issuer = host + mount;
  const deviceFlow = options.device_flow;
  const made = createProvider({ host, issuer, settings, store, deviceFlow });
  for (const client of [...builtInClients(options.clients), ...options.more_clients]) {
    addClient(store, client, deviceFlow);
  }
  journal.watch(made.provider);
  const accountId = options.account_id;
  front.mountProvider(
    made.provider,
    new Workspace({ host, issuer, accountId, settings, store, ...made }),
  );
  const { federation } = made;
  const control = await startControl({
    front, journal, faults, holds, settings, store, federation, deviceFlow,
  });
  process.stdout.write(`${JSON.stringify({ host, issuer, control })}\n`);
}

const input = createInterface({ input: process.stdin });
input.once('line', (line) => {
  start(JSON.parse(line)).catch((error) => {
    console.error(error);
    process.exit(1);
  });
});
followParent(input);

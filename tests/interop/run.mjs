// node run.mjs SCENARIO OFFERER ANSWERER [--clip FILE] [--all-interfaces] [--seconds N] [--mib N]
//     [--ice-lite] [--one-port] [--only-tcp] [--hide] [--turn PROGRAM [--turn-by udp|tcp|tls|udp6|secret]] [-- BROWSER OPTIONS...]
// With --ice-lite native peers are lite agents, with --one-port all of
// their connections share UDP and TCP port 34700. With --only-tcp native peers listen, and no UDP candidate reaches the other side. With --turn both sides see each other only through that TURN server: "coturn", or the path of examples/turnserver.
// With --hide native peers tell names in place of addresses, and no address of a host may be told by either side; browsers
// do so by their own option (-- --mdns).
// A peer is chromium, firefox, or the path of a native peer program. Started by `run`, which shuts the network off.
// Ends with 0 (passed), 1 (failed) or 77 (a browser or the npm packages are not there).
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Peer } from './peer.mjs';
import { scenarios, toneOf } from './scenarios.mjs';
import { expectNames, useConfiguration, useProtocol } from './steps.mjs';
import { startTurnServer, turnServerExists, WAYS } from './turn_server.mjs';

const SKIPPED = 77;
const PROGRAMS = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clip: { type: 'string' },
    'all-interfaces': { type: 'boolean', default: false },
    seconds: { type: 'string', default: '170' },
    mib: { type: 'string', default: '200' },
    'ice-lite': { type: 'boolean', default: false },
    'one-port': { type: 'boolean', default: false },
    'only-tcp': { type: 'boolean', default: false },
    hide: { type: 'boolean', default: false },
    turn: { type: 'string' },
    'turn-by': { type: 'string', default: 'udp' },
  },
});
const [scenario, ...rest] = positionals;
const kinds = rest.slice(0, 2);
const extra = rest.slice(2);
if (!scenarios[scenario] || kinds.length !== 2 || !WAYS[options['turn-by']]) {
  console.error(`usage: run SCENARIO OFFERER ANSWERER; scenarios: ${Object.keys(scenarios).join(' ')}`);
  process.exit(2);
}
for (const kind of kinds) {
  const program = PROGRAMS[kind] ?? kind;
  if (!existsSync(program) || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
    console.log(`SKIP: ${existsSync(program) ? 'npm packages (tests/interop/install)' : program} missing`);
    process.exit(SKIPPED);
  }
}

if (options.turn && !turnServerExists(options.turn)) {
  console.log(`SKIP: TURN server ${options.turn} missing`);
  process.exit(SKIPPED);
}

const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const figures = {};
const clip = options.clip && existsSync(options.clip) ? options.clip : undefined;
const context = { say, clip: Boolean(clip), mib: Number(options.mib), measure: more => Object.assign(figures, more) };

const peers = [];
let turn;
function end(code) {
  for (const peer of peers) peer.kill();
  turn?.kill();
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(1));
setTimeout(() => {
  console.error(`FAILED: not done within ${options.seconds} s`);
  end(1);
}, Number(options.seconds) * 1000);

let code = 0;
try {
  if (options['ice-lite']) useConfiguration({ iceLite: true });  // browsers do not know the word
  if (options['only-tcp']) {
    useConfiguration({ iceLite: options['ice-lite'], listensOnTcp: true });
    useProtocol('tcp');
  }
  if (options.hide) {
    useConfiguration({ hideHostAddresses: true });
    expectNames();
  }
  if (options.turn) {
    turn = await startTurnServer(options.turn, options['turn-by'], options['all-interfaces'] ? '192.0.2.1' : '127.0.0.1');
    useConfiguration(turn.config);
    if (turn.ca) extra.push('--ca', turn.ca);
  }
  const common = [...(clip ? ['--clip', clip] : []), ...(options['all-interfaces'] ? ['--all-interfaces'] : [])];
  const native = [...(scenarios[scenario].native ?? []), ...(options['one-port'] ? ['--port', '34700'] : []), ...(turn?.ca ? ['--ca', turn.ca] : [])];
  const started = await Promise.allSettled(
    kinds.map((kind, index) => Peer.start(kind, [...common, ...(PROGRAMS[kind] ? ['--tone', String(toneOf(index)), ...extra] : native)])),
  );
  for (const { value } of started) if (value) peers.push(value);
  for (const { reason } of started) if (reason) throw reason;
  for (const peer of peers) {
    peer.on('pageerror', ({ error }) => console.error(`${peer.name}: ${error}`));
    say(peer.name, peer.info.version);
  }
  await scenarios[scenario](peers[0], peers[1], context);
  say('PASSED', JSON.stringify(figures));
  const folder = process.env.PARLEY_MEASURES_DIR;
  if (folder) {
    const name = ['interop', scenario, ...kinds.map(kind => basename(kind))].join('_');
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...figures, duration_s: (Date.now() - began) / 1000 }));
  }
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  code = 1;
}
await Promise.all(peers.map(peer => peer.quit()));
const relayed = await turn?.stop();
turn = undefined;
if (relayed) {
  say(`the TURN server relayed ${relayed.packets_to_peers} packets to peers and ${relayed.packets_to_clients} to clients`);
  if (relayed.packets_to_peers === 0) code = 1;
}
end(code);

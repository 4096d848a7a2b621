// coturn's own client tool against our server: node turn_clients.test.mjs TURNSERVER [--all-interfaces]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { startTurnServer, turnServerExists } from './turn_server.mjs';

const CLIENT = '/usr/bin/turnutils_uclient';
const program = process.argv[2];
if (!existsSync(CLIENT) || !turnServerExists(program)) {
  console.log(`SKIP: ${existsSync(CLIENT) ? program : CLIENT} missing`);
  process.exit(77);
}
const address = process.argv.includes('--all-interfaces') ? '192.0.2.1' : '127.0.0.1';

// -y: clients to clients; -s: Send indications and no channels; -t: TCP, -S: TLS; -c: no reserved ports; -N: with requests that
// make no sense; -T: relayed TCP connections, which clients open to each other; -P: the other ones do; -M: with a move to another
// address (RFC 8016).
const RUNS = [
  ['udp', ['-y']],
  ['udp', ['-y', '-s']],
  ['udp', ['-y', '-c', '-l', '1200']],
  ['udp', ['-y', '-t']],
  ['udp', ['-y', '-t', '-s']],
  ['udp', ['-y', '-t', '-S']],
  ['udp', ['-y', '-N']],
  ['udp', ['-T']],
  ['udp', ['-T', '-S']],
  // Half of what it counts is echoes that its passive side does not send, to coturn either.
  ['udp', ['-P'], /Total lost packets 40 \(50/],
  ['udp', ['-y', '-M']],
  ['udp', ['-y', '-M', '-t']],
  ['secret', ['-y']],
  ['udp6', ['-y', '-x']],
  ['udp6', ['-y', '-x', '-t']],
];
let failed = 0;
for (const way of new Set(RUNS.map(([name]) => name))) {
  const server = await startTurnServer(program, way, address);
  for (const [, options, expected = /Total lost packets 0 /] of RUNS.filter(([name]) => name === way)) {
    const port = options.includes('-S') ? server.tlsPort : server.port;
    const args = ['-u', server.username, '-w', server.credential, '-p', String(port), '-m', '4', '-n', '20', ...options, server.ip];
    const { stdout, status } = spawnSync(CLIENT, args, { encoding: 'utf8', timeout: 60000 });
    const passed = status === 0 && expected.test(stdout);
    console.log(`${passed ? 'PASSED' : 'FAILED'} turnutils_uclient ${options.join(' ')} (${way})`);
    if (!passed) {
      ++failed;
      console.log(stdout.split('\n').slice(-12).join('\n'));
    }
  }
  const figures = await server.stop();
  if (!figures || figures.packets_to_peers === 0) ++failed;
}
process.exit(failed ? 1 : 0);

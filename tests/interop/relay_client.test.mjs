// Our TURN client beside ICE, against coturn or our own server: relayed TCP connections (RFC 6062) over TCP and TLS, and an
// allocation that moves to another address (RFC 8016): node relay_client.test.mjs RELAY_CLIENT coturn|TURNSERVER [--all-interfaces]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startTurnServer, turnServerExists } from './turn_server.mjs';

const [program, serverProgram] = process.argv.slice(2);
if (!existsSync(program) || !turnServerExists(serverProgram)) {
  console.log(`SKIP: ${existsSync(program) ? serverProgram : program} missing`);
  process.exit(77);
}
const address = process.argv.includes('--all-interfaces') ? '192.0.2.1' : '127.0.0.1';
const server = await startTurnServer(serverProgram, 'tls', address);
let failed = 0;
const ways = [
  ['tcp', '--server', `${server.ip}:${server.port}`],
  ['tcp', '--server', `${server.ip}:${server.tlsPort}`, '--tls', join(server.folder, 'ca.pem')],
  ['move', '--server', `${server.ip}:${server.port}`],
];
// coturn 4.6 answers a move over TCP with bytes that are no message.
if (serverProgram !== 'coturn') ways.push(['move', '--server', `${server.ip}:${server.port}`, '--stream']);
for (const way of ways) {
  const args = [...way, '--user', server.username, '--password', server.credential, '--peer', server.ip];
  const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8', timeout: 60000 });
  console.log(`${status === 0 ? 'PASSED' : 'FAILED'} relay_client ${way.join(' ')}`);
  if (status !== 0) {
    ++failed;
    console.log(stdout, stderr);
  }
}
await server.stop();
process.exit(failed ? 1 : 0);

// TURN servers as child processes: coturn, or the program of examples/turnserver.
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PORT = 34780;
const TLS_PORT = 53490;
const USER = 'user';
const PASSWORD = 'pass';
const SECRET = 'north';
const COTURN = '/usr/bin/turnserver';

/// How clients come to the server: over which transport and family, and with which kind of credentials.
export const WAYS = {
  udp: { url: ip => `turn:${ip}:${PORT}?transport=udp` },
  tcp: { url: ip => `turn:${ip}:${PORT}?transport=tcp` },
  // Firefox does not accept a certificate for an address: by name.
  tls: { url: () => `turns:localhost:${TLS_PORT}?transport=tcp`, secure: true },
  udp6: { url: ip => `turn:[${ip}]:${PORT}?transport=udp`, v6: true },
  secret: { url: ip => `turn:${ip}:${PORT}?transport=udp`, timeLimited: true },
};

export const turnServerExists = program => existsSync(program === 'coturn' ? COTURN : program);

/// An authority and a certificate of it: browsers refuse an authority's own certificate as a server's.
function makeCertificates(folder, ip) {
  const file = name => join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '30', '-subj', '/CN=test authority', '-keyout', file('ca.key'), '-out', file('ca.pem'));
  openssl('req', ...key, '-subj', '/CN=localhost', '-keyout', file('key.pem'), '-out', file('request.pem'));
  writeFileSync(file('extensions'), `subjectAltName=DNS:localhost,IP:127.0.0.1,IP:${ip}\nbasicConstraints=CA:FALSE\n`);
  openssl('x509', '-req', '-in', file('request.pem'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '30',
    '-extfile', file('extensions'), '-out', file('cert.pem'));
}

function coturnArguments(folder, ip, way) {
  const listening = way.v6 ? [ip] : [ip, '127.0.0.1'];
  return [
    '-n', ...new Set(listening.map(address => `--listening-ip=${address}`)), `--relay-ip=${ip}`, `--listening-port=${PORT}`,
    `--tls-listening-port=${TLS_PORT}`, '--realm=test', '--fingerprint', '--allow-loopback-peers', '--no-cli', '--mobility',
    ...(way.timeLimited ? ['--use-auth-secret', `--static-auth-secret=${SECRET}`] : ['--lt-cred-mech', `--user=${USER}:${PASSWORD}`]),
    `--cert=${folder}/cert.pem`, `--pkey=${folder}/key.pem`, '--no-multicast-peers', `--pidfile=${folder}/pid`, `--userdb=${folder}/db`,
    '--no-stdout-log', `--log-file=${folder}/log`, '--simple-log',
  ];
}

function ownArguments(folder, ip, way) {
  const any = way.v6 ? '[::]' : '0.0.0.0';
  return [
    '--listen', `${any}:${PORT}`, '--tls', `${any}:${TLS_PORT}`, '--certificate', `${folder}/cert.pem`, '--key', `${folder}/key.pem`,
    '--relay', ip, ...(way.timeLimited ? ['--secret', SECRET] : ['--user', `${USER}:${PASSWORD}`]), '--allow-private', '--mobility', '--quiet',
    '--report', `${folder}/report.json`,
  ];
}

async function listening(ip, child) {
  for (let attempt = 0; attempt < 100; ++attempt) {
    if (child.exitCode !== null) break;
    const open = await new Promise(done => {
      const socket = createConnection({ host: ip, port: PORT }, () => done(true));
      socket.on('error', () => done(false)).on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise(done => setTimeout(done, 100));
  }
  throw new Error('the TURN server does not listen');
}

/// program: "coturn" or the path of turnserver. Gives what goes into a configuration, the authority's file, and stop().
export async function startTurnServer(program, wayName, ordinaryAddress) {
  const way = WAYS[wayName];
  const v6 = ordinaryAddress === '127.0.0.1' ? '::1' : '2001:db8::1';
  const ip = way.v6 ? v6 : ordinaryAddress;
  const folder = mkdtempSync(join(tmpdir(), 'parley-turn-'));
  makeCertificates(folder, ordinaryAddress);
  const coturn = program === 'coturn';
  const child = spawn(coturn ? COTURN : program, (coturn ? coturnArguments : ownArguments)(folder, ip, way), { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise(done => child.on('exit', done).on('error', done));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    const report = join(folder, 'report.json');
    const figures = existsSync(report) ? JSON.parse(readFileSync(report)) : null;
    rmSync(folder, { recursive: true, force: true });
    return figures;
  };
  try {
    await listening(ip, child);
  } catch (error) {
    await stop();
    throw error;
  }
  const username = way.timeLimited ? `${Math.floor(Date.now() / 1000) + 3600}:alice` : USER;
  const credential = way.timeLimited ? createHmac('sha1', SECRET).update(username).digest('base64') : PASSWORD;
  return {
    config: { iceServers: [{ urls: way.url(ip), username, credential }], iceTransportPolicy: 'relay' },
    ca: way.secure ? join(folder, 'ca.pem') : undefined,
    ip, folder, port: PORT, tlsPort: TLS_PORT, username, credential, stop,
    kill: () => child.kill('SIGKILL'),
  };
}

// Steps that scenarios share.
import { Signaling } from './peer.mjs';

export const sleep = ms => new Promise(done => setTimeout(done, ms));

/// `attempt` gives null once it holds, or what is missing.
export async function eventually(what, ms, attempt) {
  const end = Date.now() + ms;
  for (;;) {
    const failure = await attempt();
    if (!failure) return;
    if (Date.now() > end) throw new Error(`${what}: ${failure}`);
    await sleep(200);
  }
}

/// What every connection of this run is made with, e.g. TURN servers.
let configuration = {};
export const useConfiguration = config => {
  configuration = config;
};

export const configurationWith = more => ({ ...configuration, ...more });

/// If set, candidates of another protocol ("udp", "tcp") are lost on their way, and a connection must be of this one.
let protocol;
export const useProtocol = only => {
  protocol = only;
};

/// If set, host candidates must hide their addresses.
let names = false;
export const expectNames = () => {
  names = true;
};

export async function start(a, b, more = {}) {
  for (const peer of [a, b]) await peer.cmd('create', { config: configurationWith(more) });
  return new Signaling(a, b, 'pc', protocol);
}

export async function connected(a, b) {
  await Promise.all([a, b].map(peer => peer.cmd('wait', { kind: 'connection', value: 'connected' })));
  for (const peer of names ? [a, b] : []) {
    const { sdp } = await peer.cmd('localDescription', { gathered: true });
    const hosts = sdp.split('\r\n').filter(line => line.startsWith('a=candidate:') && line.includes(' typ host'));
    const bare = hosts.filter(line => !line.split(' ')[4].endsWith('.local'));
    if (hosts.length === 0 || bare.length > 0) throw new Error(`${peer.name} hides no address: ${hosts.join('; ')}`);
  }
  if (!protocol) return;
  for (const peer of [a, b]) {
    await eventually(`${peer.name} is connected by ${protocol}`, 5000, async () => {
      const { local, remote } = await peer.cmd('selected');
      return local?.protocol === protocol && remote?.protocol === protocol ? null : JSON.stringify({ local, remote });
    });
  }
}

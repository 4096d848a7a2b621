// shaped_link.cc between the namespaces "left" and "right", which `run` makes, and the signalling of calls over it.
import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const SIDES = { left: '198.51.100.1', right: '198.51.100.2' };

export class Link {
  static async start(program) {
    const link = new Link();
    link.child = spawn(program, Object.keys(SIDES), { stdio: ['pipe', 'pipe', 'inherit'] });
    link.lines = createInterface({ input: link.child.stdout })[Symbol.asyncIterator]();
    if ((await link.lines.next()).value !== 'ready') throw new Error('the link does not start');
    for (const [side, address] of Object.entries(SIDES)) {
      const inside = (...words) => execFileSync('ip', ['netns', 'exec', side, ...words]);
      inside('sysctl', '-qw', 'net.ipv6.conf.shaped0.disable_ipv6=1');
      inside('ip', 'addr', 'add', `${address}/24`, 'dev', 'shaped0');
      inside('ip', 'route', 'add', 'default', 'dev', 'shaped0');
    }
    return link;
  }
  say(line) {
    this.child.stdin.write(`${line}\n`);
  }
  async report() {
    this.say('report');
    return JSON.parse((await this.lines.next()).value);
  }
  /// Everything as if new, then the case's own settings.
  shape({ path, plan }) {
    this.say('forget');
    this.say('rate=0 queue=300 delay=0 jitter=0 loss=0 burst=1 mark=0 seed=1');
    this.say(path);
    this.say('reset');
    for (const [seconds, settings] of plan ?? []) this.say(`at ${seconds} ${settings}`);
  }
}

/// Host candidates of the shaped device alone reach the other side.
export function exchange(from, to, pc) {
  const here = event => event.candidate?.candidate.includes('198.51.100.') && / udp /i.test(event.candidate.candidate);
  const waiting = [];
  let open = false;
  const listener = event => {
    if (event.pc !== pc || !here(event)) return;
    if (open) to.cmd('addCandidate', { pc, candidate: event.candidate }).catch(() => {});
    else waiting.push(event);
  };
  from.on('candidate', listener);
  return {
    release() {
      open = true;
      waiting.splice(0).forEach(listener);
    },
    end: () => from.off('candidate', listener),
  };
}
export const withoutCandidates = ({ type, sdp }) => ({ type, sdp: sdp.split('\r\n').filter(line => !line.startsWith('a=candidate:')).join('\r\n') });

// Test peers as child processes that speak the protocol of README.md, and signalling between two of them.
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_MS = 40000;
const QUIT_MS = 8000;

function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Peer extends EventEmitter {
  /// kind: chromium, firefox, or the path of a peer program. `before`: words of a command that runs it.
  static async start(kind, args = [], before = []) {
    const peer = new Peer();
    const isBrowser = kind === 'chromium' || kind === 'firefox';
    const host = fileURLToPath(new URL('browser_peer.mjs', import.meta.url));
    const command = isBrowser ? [process.execPath, host, '--browser', kind, ...args] : [kind, ...args];
    peer.name = isBrowser ? kind : 'native';
    peer.pending = new Map();
    peer.history = [];
    peer.last = 0;
    // A process group of its own, so that whatever it started can be ended with it.
    command.unshift(...before);
    peer.child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
    peer.ended = new Promise(done => {
      peer.child.on('exit', (code, signal) => done(`${peer.name} ended (${signal ?? code})`));
      peer.child.on('error', error => done(`${peer.name}: ${error.message}`));
    });
    peer.ended.then(why => peer.fail(new Error(why)));
    peer.child.stdin.on('error', () => {});
    createInterface({ input: peer.child.stdout }).on('line', line => peer.receive(JSON.parse(line)));
    const early = peer.ended.then(why => {
      throw new Error(why);
    });
    early.catch(() => {});
    try {
      peer.info = await within(START_MS, `start of ${peer.name}`, Promise.race([peer.until('ready', () => true, START_MS), early]));
      peer.name = peer.info.peer;
    } catch (error) {
      peer.kill();
      throw error;
    }
    return peer;
  }

  receive(message) {
    if (message.event) {
      this.history.push(message);
      this.emit(message.event, message);
      return;
    }
    const waiting = this.pending.get(message.id);
    this.pending.delete(message.id);
    if (message.ok) waiting?.done(message.result);
    else waiting?.fail(new Error(`${this.name}: ${waiting.cmd}: ${message.error}`));
  }

  fail(error) {
    for (const waiting of this.pending.values()) waiting.fail(error);
    this.pending.clear();
  }

  cmd(cmd, args = {}) {
    return new Promise((done, fail) => {
      this.pending.set(++this.last, { cmd, done, fail });
      this.child.stdin.write(`${JSON.stringify({ id: this.last, cmd, ...args })}\n`);
    });
  }

  /// The first event that passes the test, also one that came before, from position `since` of the history on.
  until(event, test = () => true, ms = 15000, since = 0) {
    const old = this.history.slice(since).find(e => e.event === event && test(e));
    if (old) return Promise.resolve(old);
    let listener;
    const found = new Promise(done => {
      listener = e => test(e) && done(e);
      this.on(event, listener);
    });
    return within(ms, `${this.name}: event ${event}`, found).finally(() => this.off(event, listener));
  }

  kill() {
    try {
      process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }

  async quit() {
    this.cmd('quit').catch(() => {});
    await within(QUIT_MS, 'quit', this.ended).catch(() => {});
    this.kill();
  }
}

/// Carries descriptions and candidates between two peers. Candidates wait until the other side knows the description that
/// they belong to.
export class Signaling {
  /// Candidates of another protocol than `only` ("udp", "tcp") are lost on the way.
  constructor(a, b, pc = 'pc', only = undefined) {
    this.pc = pc;
    this.only = only;
    this.sides = new Map([
      [a, { other: b, open: false, waiting: [] }],
      [b, { other: a, open: false, waiting: [] }],
    ]);
    for (const [peer, side] of this.sides) {
      peer.on('candidate', event => {
        if (event.pc !== pc) return;
        if (side.open) this.deliver(side.other, event);
        else side.waiting.push(event);
      });
    }
  }

  passes(line) {
    return !this.only || line.split(' ')[2]?.toLowerCase() === this.only;
  }

  /// False: neither side is told that the other would bundle.
  bundles = true;

  filtered({ type, sdp }) {
    const lines = sdp.split('\r\n').filter(line => line.startsWith('a=candidate:') ? this.passes(line)
      : this.bundles || !line.startsWith('a=group:BUNDLE'));
    return { type, sdp: lines.join('\r\n') };
  }

  deliver(to, { candidate }) {
    if (candidate?.candidate && !this.passes(candidate.candidate)) return;
    to.cmd('addCandidate', { pc: this.pc, candidate }).catch(error => console.error(error.message));
  }

  release(peer) {
    const side = this.sides.get(peer);
    side.open = true;
    for (const event of side.waiting.splice(0)) this.deliver(side.other, event);
  }

  /// How long answers are under way, in ms. The answerer's first checks arrive before them then.
  answerDelay = 0;

  /// One offer and answer. `beforeAnswer` runs when the answerer knows the offer.
  async negotiate(offerer, beforeAnswer) {
    const { pc } = this;
    const answerer = this.sides.get(offerer).other;
    for (const side of this.sides.values()) side.open = false;
    const offer = await offerer.cmd('createOffer', { pc, set: true });
    await answerer.cmd('setRemote', { pc, desc: this.filtered(offer) });
    this.release(offerer);
    await beforeAnswer?.();
    const answer = await answerer.cmd('createAnswer', { pc, set: true });
    if (this.answerDelay) await new Promise(done => setTimeout(done, this.answerDelay));
    await offerer.cmd('setRemote', { pc, desc: this.filtered(answer) });
    this.release(answerer);
    return { offer, answer };
  }
}

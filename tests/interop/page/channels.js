// Data channels by name: what they do with messages, and what they have seen.
import { fnv1a, fromBase64, messagePlan, payload, Tally, toBase64 } from './content.js';

const REPORTED_BYTES = 4096;
const SEND_BUFFER_BYTES = 1 << 20;
const sleep = ms => new Promise(done => setTimeout(done, ms));
const decode = bytes => new TextDecoder().decode(bytes);

export class Channel {
  constructor(pc, name, channel, mode = 'event') {
    Object.assign(this, { pc, name, channel, mode, tally: new Tally(), waiting: [] });
    channel.binaryType = 'arraybuffer';
    const report = (event, more) => window.emitEvent({ event, pc, dc: name, ...more });
    channel.onopen = () => report('open', { id: channel.id });
    channel.onclose = () => report('close');
    channel.onerror = e => report('dcerror', { error: String(e.error?.message || e.error) });
    channel.onmessage = e => this.receive(e.data, report);
  }

  receive(data, report) {
    const text = typeof data === 'string';
    const bytes = text ? new TextEncoder().encode(data) : new Uint8Array(data);
    this.tally.add(bytes, text);
    if (this.mode === 'echo') this.channel.send(data);
    else if (this.waiting.length) this.waiting.shift()(bytes);
    else if (this.mode === 'event') {
      const short = bytes.length <= REPORTED_BYTES;
      const content = text ? { text: short ? data : undefined } : { base64: short ? toBase64(bytes) : undefined };
      report('message', { size: bytes.length, hash: fnv1a(bytes), ...content });
    }
  }

  describe() {
    const { label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated } = this.channel;
    return { dc: this.name, label, protocol, id, ordered, maxRetransmits, maxPacketLifeTime, negotiated };
  }

  async opened() {
    while (this.channel.readyState === 'connecting') await sleep(2);
  }

  async room(below) {
    await this.opened();
    while (this.channel.bufferedAmount > below && this.channel.readyState === 'open') await sleep(2);
    if (this.channel.readyState !== 'open') throw new Error(`channel is ${this.channel.readyState}`);
  }

  async send({ text, base64, size, count = 1 }) {
    for (let index = 0; index < count; index++) {
      await this.room(SEND_BUFFER_BYTES);
      this.channel.send(text ?? (base64 !== undefined ? fromBase64(base64) : payload(size, index, false)));
    }
    return null;
  }

  /// Sends the messages of a plan and returns the tally that the receiver must come to.
  async sendPlan(plan) {
    const sent = new Tally();
    for (const { index, size, text } of messagePlan(plan)) {
      const bytes = payload(size, index, text);
      await this.room(SEND_BUFFER_BYTES);
      this.channel.send(text ? decode(bytes) : bytes);
      sent.add(bytes, text);
    }
    return sent.result();
  }

  received() {
    return { ...this.tally.result(), state: this.channel.readyState, buffered: this.channel.bufferedAmount };
  }

  /// Round trips of messages that the other side echoes.
  async ping({ count = 20, size = 32, timeout = 5000 }) {
    const times = [];
    let wrong = 0;
    await this.opened();
    for (let index = 0; index < count; index++) {
      const out = payload(size, index, false);
      const started = performance.now();
      const echo = new Promise((done, fail) => {
        this.waiting.push(done);
        setTimeout(() => fail(new Error(`no echo of message ${index}`)), timeout);
      });
      this.channel.send(out);
      const back = await echo;
      times.push(performance.now() - started);
      if (fnv1a(back) !== fnv1a(out)) wrong++;
    }
    times.sort((a, b) => a - b);
    return { count, size, wrong, rtt_ms_min: times[0], rtt_ms_p50: times[count >> 1], rtt_ms_max: times.at(-1) };
  }

  /// One-way throughput until the send buffer is empty. With `tally` every message is another one, and the tally that the
  /// receiver must come to is told.
  async blast({ bytes = 1 << 24, chunk = 16384, buffer = SEND_BUFFER_BYTES, tally = false }) {
    let block = payload(chunk, 0, false);
    const tallied = new Tally();
    const started = performance.now();
    let sent = 0;
    for (let index = 0; sent < bytes; sent += chunk, index++) {
      if (tally) {
        block = payload(chunk, index, false);
        tallied.add(block, false);
      }
      await this.room(buffer);
      this.channel.send(block);
    }
    await this.room(0);
    const ms = performance.now() - started;
    return { bytes: sent, duration_ms: ms, rate_mbps: (sent * 8) / ms / 1000, ...(tally && { tally: tallied.result() }) };
  }
}

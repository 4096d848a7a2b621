// One connection to the native program: the phrase, the exchange of descriptions over HTTP (rendezvous.h), the data channel.
import { Pake } from './pake.js';

const HIGH_WATER = 6 * 1024 * 1024;
const HEARTBEAT_MS = 2000;
const SILENCE_MS = 8000;
const GATHERING_MS = 3000;
const OPENING_MS = 20000;

/// An error that another attempt does not mend.
export class Final extends Error {}

/// The words of a phrase, however they are typed; null if there are not enough.
export function phraseOf(typed) {
  const words = typed.toLowerCase().split(/[\s-]+/).filter(Boolean);
  return words.length >= 4 && words.every(word => /^[a-z0-9]+$/.test(word)) ? { name: words[0], text: words.join('-') } : null;
}

async function post(path, body) {
  let response;
  try {
    response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  } catch {
    throw new Error('The other side does not answer.');
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const told = answer.error ? `${answer.error[0].toUpperCase()}${answer.error.slice(1)}.` : `The server says ${response.status}.`;
  throw [403, 404, 409].includes(response.status) ? new Final(told) : new Error(told);
}

export class Link {
  /// Resolves to an open link. `sends`: what the other side does is told in `link.hostSends`.
  static async open(phrase) {
    const pake = new Pake(phrase.text);
    const { id, share, sends, iceServers } = await post(`/api/${phrase.name}/join`, { share: pake.share });
    if (!pake.finish(share)) throw new Final('The other side makes no sense.');
    const link = new Link(new RTCPeerConnection({ iceServers }), sends);
    try {
      const body = JSON.stringify({ sdp: await link.#offer(), sends: !sends });
      const answer = await post(`/api/${phrase.name}/${id}/offer`, { body, mac: pake.mac(body) });
      // Whoever answers has to know the phrase as well.
      if (!pake.verify(answer.body, answer.mac)) throw new Final('The other side does not know the phrase.');
      const told = JSON.parse(answer.body);
      link.hostSends = told.sends;
      await link.pc.setRemoteDescription({ type: 'answer', sdp: told.sdp });
      await link.#opened();
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  constructor(pc, hostSends) {
    Object.assign(this, { pc, hostSends, inbox: [], lost: false, spoke: 0, waiting: [] });
    this.channel = pc.createDataChannel('send', { protocol: 'parley-send-1' });
    this.channel.binaryType = 'arraybuffer';
    this.channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
    this.channel.onmessage = ({ data }) => {
      this.heard = performance.now();
      this.inbox.push(data);
      this.#wake();
    };
    this.channel.onbufferedamountlow = () => this.#wake();
    this.channel.onclose = () => this.#setLost();
    pc.onconnectionstatechange = () => {
      if (['failed', 'closed'].includes(pc.connectionState)) this.#setLost();
    };
  }

  async #offer() {
    const { pc } = this;
    const gathered = new Promise(done => {
      pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
      setTimeout(done, GATHERING_MS);
    });
    await pc.setLocalDescription();
    await gathered;
    return pc.localDescription.sdp;
  }

  #opened() {
    return new Promise((done, fail) => {
      this.channel.onopen = () => {
        this.heard = performance.now();
        this.timer = setInterval(() => this.#beat(), 500);
        done();
      };
      setTimeout(() => fail(new Error('No path to the other side was found.')), OPENING_MS);
    });
  }

  #beat() {
    const now = performance.now();
    if (now - this.heard > SILENCE_MS) this.#setLost();
    else if (now - this.spoke > HEARTBEAT_MS) this.send({ t: 'alive' });
  }

  #setLost() {
    this.lost = true;
    clearInterval(this.timer);
    this.#wake();
  }

  #wake() {
    for (const done of this.waiting.splice(0)) done();
  }

  /// Waits until something has happened: a message, room to send, the end.
  happens() {
    return new Promise(done => { this.waiting.push(done); });
  }
  /// Ends a wait for something else than the link.
  wake() {
    this.#wake();
  }

  /// The next message, as an object or an ArrayBuffer; undefined if there is none now.
  next() {
    const data = this.inbox.shift();
    return typeof data === 'string' ? JSON.parse(data) : data;
  }

  get hasRoom() {
    return this.channel.bufferedAmount < HIGH_WATER;
  }

  send(message) {
    if (this.lost) return;
    this.spoke = performance.now();
    try {
      this.channel.send(message instanceof Uint8Array ? message : JSON.stringify(message));
    } catch {
      this.#setLost();
    }
  }

  close() {
    this.#setLost();
    this.pc.close();
  }
}

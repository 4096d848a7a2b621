// Data channels between two peers: every kind, many at once, large messages, much data. The context is that of
// scenarios.mjs, and `mib`: how much `bulk` sends each way.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { payload, Tally, toBase64 } from './page/content.js';
import { connected, eventually, start } from './steps.mjs';

const roleOf = index => ['offerer', 'answerer'][index];
const LARGEST = 8 * 1024 * 1024; // of what is tried; Firefox takes up to 1 GiB

/// What RTCDataChannelInit can say, and names that are not plain.
const KINDS = {
  plain: {},
  unordered: { ordered: false },
  'never repeated': { maxRetransmits: 0 },
  'three times unordered': { ordered: false, maxRetransmits: 3 },
  brief: { maxPacketLifeTime: 500 },
  'brief unordered': { ordered: false, maxPacketLifeTime: 1000 },
  'with a protocol': { protocol: 'sub-protocol' },
  unnamed: { label: '', protocol: '' },
  unicode: { label: '\u00dcber \u4f60 \u{1f600} "\\\n', protocol: '\u{1f680} \u00e9' },
  long: { label: 'long '.repeat(4000), protocol: 'p'.repeat(3000) },
};
const AGREED = {
  'agreed 100': { negotiated: true, id: 100 },
  'agreed 1000': { negotiated: true, id: 1000, ordered: false, maxRetransmits: 1 },
};

const MESSAGES = [
  { text: 'h\u00e9llo \u{1f600}' },
  { base64: toBase64(payload(1000, 0, false)) },
  { text: '' },
  { base64: '' },
  { base64: toBase64(payload(70000, 0, false)) },
];
const expected = new Tally();
for (const { text, base64 } of MESSAGES) expected.add(Buffer.from(text ?? base64, text === undefined ? 'base64' : 'utf8'), text !== undefined);

async function sendMessages(peer, dc) {
  for (const message of MESSAGES) await peer.cmd('send', { dc, ...message });
}

async function hasMessages(peer, dc, ordered) {
  const { hash, ...counts } = expected.result();
  await eventually(`${peer.name}: messages of "${dc.slice(0, 40)}"`, 15000, async () => {
    const got = await peer.cmd('received', { dc });
    for (const [what, value] of Object.entries(counts)) if (got[what] !== value) return JSON.stringify(got);
    return !ordered || got.hash === hash ? null : `hash ${got.hash}, not ${hash}`;
  });
}

/// Opens a channel of every kind and gives what has to be checked: [{opener, name, there, init}].
async function openKinds(peer, index) {
  const opened = [];
  for (const [kind, { label, ...init }] of Object.entries(KINDS)) {
    const dc = `${kind} of the ${roleOf(index)}`;
    // On the other side a channel goes by its label.
    const there = label === undefined ? dc : label ? `${label}${index}` : 'dc';
    await peer.cmd('openChannel', { dc, label: label === '' ? '' : there, init, mode: 'count' });
    opened.push({ index, dc, there, init });
  }
  return opened;
}

async function checkKinds(peers, opened) {
  const ids = [new Set(), new Set()];
  for (const { index, dc, there, init } of opened) {
    const [here, other] = [peers[index], peers[1 - index]];
    const announced = await other.until('datachannel', e => e.dc === there);
    const { id } = await here.until('open', e => e.dc === dc);
    assert.equal(announced.id, id, `${dc}: the same stream on both sides`);
    ids[index].add(id);
    assert.deepEqual(
      [announced.protocol, announced.ordered, announced.maxRetransmits, announced.maxPacketLifeTime, announced.negotiated],
      [init.protocol ?? '', init.ordered ?? true, init.maxRetransmits ?? null, init.maxPacketLifeTime ?? null, false], dc);
    await sendMessages(here, dc);
    await sendMessages(other, there);
    await hasMessages(other, there, init.ordered ?? true);
    await hasMessages(here, dc, init.ordered ?? true);
  }
  // RFC 8832 section 6: the DTLS client takes even streams, the server odd ones.
  for (const own of ids) assert.equal(new Set([...own].map(id => id % 2)).size, 1, `one parity: ${[...own]}`);
  assert.notEqual([...ids[0]][0] % 2, [...ids[1]][0] % 2);
}

/// The largest message that the sender may send arrives, one byte more is refused.
async function largestMessages(peers, context) {
  for (const [index, from] of peers.entries()) {
    const to = peers[1 - index];
    const { maxMessageSize } = await from.cmd('sctp');
    assert(maxMessageSize >= 262144, `${from.name} may send ${maxMessageSize}`);
    const size = Math.min(maxMessageSize, LARGEST);
    const dc = 'agreed 100';
    await to.cmd('mode', { dc, mode: 'event' });
    const since = to.history.length;
    await from.cmd('send', { dc, size });
    const { hash, size: got } = await to.until('message', e => e.dc === dc && e.size > 100000, 60000, since);
    const tally = await to.cmd('received', { dc });
    assert.equal(got, size);
    context.say(`${from.name} may send ${maxMessageSize} bytes at once; ${size} arrived, hash ${hash}`);
    if (maxMessageSize <= LARGEST) {
      await assert.rejects(from.cmd('send', { dc, size: maxMessageSize + 1 }), /TypeError|size|large|big/i);
      assert.equal((await to.cmd('received', { dc })).messages, tally.messages);
    }
    context.measure({ [`${roleOf(index)}_largest_message_bytes`]: size });
    const check = new Tally();
    for (const { text, base64 } of MESSAGES) check.add(Buffer.from(text ?? base64, text === undefined ? 'base64' : 'utf8'), text !== undefined);
    check.add(payload(size, 0, false), false);
    assert.equal(tally.hash, check.result().hash, 'the large message is what was sent');
  }
}

/// 100 channels at once, some from the other side; each echoes; closed from both sides.
async function manyChannels(peers, context) {
  const [a, b] = peers;
  for (const peer of peers) await peer.cmd('incoming', { mode: 'echo' });
  const names = [];
  for (let i = 0; i < 100; i++) names.push({ dc: `many ${i}`, index: i % 5 === 4 ? 1 : 0 });
  const began = Date.now();
  await Promise.all(names.map(({ dc, index }) => peers[index].cmd('openChannel', { dc })));
  await Promise.all(names.map(({ dc, index }) => peers[1 - index].until('datachannel', e => e.dc === dc)));
  const pings = await Promise.all(names.map(({ dc, index }) => peers[index].cmd('ping', { dc, count: 3, size: 100, timeout: 20000 })));
  assert(pings.every(ping => ping.wrong === 0));
  context.say(`100 channels opened and answered within ${Date.now() - began} ms`);
  context.measure({ hundred_channels_ms: Date.now() - began });
  const closing = Date.now();
  await Promise.all(names.map(({ dc }, i) => peers[i % 2].cmd('closeChannel', { dc })));
  await Promise.all(names.flatMap(({ dc }) => peers.map(peer => peer.until('close', e => e.dc === dc, 30000))));
  context.say(`closed from either side within ${Date.now() - closing} ms`);
  // Streams that are free again serve new channels.
  for (let i = 0; i < 20; i++) {
    await a.cmd('openChannel', { dc: `again ${i}` });
    await b.until('datachannel', e => e.dc === `again ${i}`);
    assert.equal((await a.cmd('ping', { dc: `again ${i}`, count: 1 })).wrong, 0);
  }
}

/// What was sent before a channel is closed arrives.
async function lastWords(peers) {
  for (const [index, from] of peers.entries()) {
    const to = peers[1 - index];
    const dc = `last words of the ${roleOf(index)}`;
    await to.cmd('incoming', { mode: 'count' });
    await from.cmd('openChannel', { dc });
    const sent = await from.cmd('sendPlan', { dc, seed: 5, count: 60 });
    await from.cmd('closeChannel', { dc });
    await to.until('close', e => e.dc === dc, 30000);
    await from.until('close', e => e.dc === dc, 30000);
    const { state: _state, buffered: _buffered, ...got } = await to.cmd('received', { dc });
    assert(isDeepStrictEqual(got, sent), `${dc}: ${JSON.stringify({ got, sent })}`);
  }
}

async function channels(a, b, context) {
  const peers = [a, b];
  const signaling = await start(a, b);
  const opened = await openKinds(a, 0);
  for (const peer of peers) {
    await peer.cmd('incoming', { mode: 'count' });
    for (const [dc, init] of Object.entries(AGREED)) await peer.cmd('openChannel', { dc, init, mode: 'count' });
  }
  await signaling.negotiate(a, async () => opened.push(...(await openKinds(b, 1))));
  await connected(a, b);
  await checkKinds(peers, opened);
  for (const [dc, { ordered = true }] of Object.entries(AGREED)) {
    for (const peer of peers) await sendMessages(peer, dc);
    for (const peer of peers) await hasMessages(peer, dc, ordered);
  }
  context.say(`${opened.length} announced and 2 agreed channels work both ways`);
  await largestMessages(peers, context);
  await manyChannels(peers, context);
  await lastWords(peers);
  context.say('what was sent before closing arrived');
  await a.cmd('close');
  await b.until('close', e => e.dc === 'plain of the answerer', 15000);
  context.say('closed');
}
channels.native = ['--max-message', String(LARGEST)];

/// Much data each way, one after the other; every byte is in the hash, and hashing is in the time.
async function bulk(a, b, context) {
  const signaling = await start(a, b);
  await a.cmd('openChannel', { dc: 'bulk', mode: 'count' });
  await b.cmd('incoming', { mode: 'count' });
  await signaling.negotiate(a);
  await connected(a, b);
  await b.until('datachannel', e => e.dc === 'bulk');
  for (const [index, from] of [a, b].entries()) {
    const to = [b, a][index];
    const began = Date.now();
    const { tally } = await from.cmd('blast', { dc: 'bulk', bytes: context.mib * 1024 * 1024, chunk: 65536, tally: true });
    await eventually(`${to.name} has everything`, 60000, async () => {
      const { state: _state, buffered: _buffered, ...got } = await to.cmd('received', { dc: 'bulk' });
      return isDeepStrictEqual(got, tally) ? null : JSON.stringify({ got, tally });
    });
    const seconds = (Date.now() - began) / 1000;
    const rate = context.mib / seconds;
    context.say(`${context.mib} MiB from ${from.name} to ${to.name} in ${seconds.toFixed(1)} s, ${rate.toFixed(1)} MiB/s, hashes equal`);
    context.measure({ [`${roleOf(index)}_sent_mib_per_s`]: rate, [`${roleOf(index)}_sent_mib`]: context.mib });
  }
}

export const channelScenarios = { channels, bulk };

// node repair.mjs --link PROGRAM --native PROGRAM CASE SENDER RECEIVER
//
// A call over a path that loses packets, with one way of repairing them without asking: RED for sound, ULPFEC or FlexFEC
// for video. SENDER and RECEIVER are `chromium` or `native`. What was lost must come back: the receiver says so itself. To be
// run by ../bench/shaped/run, which makes the namespaces "left" (sends) and "right".
import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { Link, exchange, withoutCandidates } from '../bench/shaped/link.mjs';
import { Peer } from './peer.mjs';
import { eventually, sleep } from './steps.mjs';

const FLEXFEC_TRIALS = 'WebRTC-FlexFEC-03/Enabled/WebRTC-FlexFEC-03-Advertised/Enabled/';
const VIDEO = { kind: 'video', source: 'noise', width: 640, height: 360, fps: 30, direction: 'sendonly' };
const CASES = {
  red: {
    path: 'delay=20 ab.loss=0.2 seed=3',
    track: { kind: 'audio', source: 'tone', frequency: 880, direction: 'sendonly', codecs: ['red', 'opus'] },
    expects: /a=rtpmap:\d+ red\/48000\/2/,
  },
  ulpfec: {
    path: 'delay=100 ab.loss=0.05 seed=3',
    track: { ...VIDEO, codecs: ['VP8', 'rtx', 'red', 'ulpfec'] },
    expects: /a=rtpmap:\d+ ulpfec\/90000/,
  },
  flexfec: {
    path: 'delay=100 ab.loss=0.05 seed=3',
    track: { ...VIDEO, codecs: ['VP8', 'rtx', 'flexfec-03'] },
    trials: FLEXFEC_TRIALS,
    expects: /a=rtpmap:\d+ flexfec-03\/90000/,
  },
};
const SECONDS = 20;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { link: { type: 'string' }, native: { type: 'string' }, log: { type: 'boolean' } },
});
const [name, ...kinds] = positionals;
const test = CASES[name];
const peers = [];
let link;

function start(kind, side) {
  const words = ['--all-interfaces'];
  if (kind === 'chromium') words.push('--arg=--disable-gpu');
  if (kind === 'chromium' && test.trials) words.push(`--arg=--force-fieldtrials=${test.trials}`);
  return Peer.start(kind === 'native' ? options.native : kind, words, ['ip', 'netns', 'exec', side]);
}

/// Chromium does not tell which FEC packets were of use, nor of ULPFEC at all. So it is given nothing else to repair losses
/// with, and fewer of them: each that is left stops the picture until a key frame has come. (At 5 % of loss, without FEC
/// one picture of thirty is decoded, with it one of three.)
const nothingElse = test.track.kind === 'video' && kinds[1] === 'chromium';
function signalled(description) {
  const { type, sdp } = withoutCandidates(description);
  return { type, sdp: nothingElse ? sdp.replace(/a=rtcp-fb:\d+ nack\r\n/g, '') : sdp };
}

const streamOf = async (peer, type) => (await peer.cmd('stats', { types: [type] })).find(s => s.kind === test.track.kind) ?? {};

async function call(sender, receiver) {
  for (const peer of [sender, receiver]) await peer.cmd('create');
  const ways = [exchange(sender, receiver, 'pc'), exchange(receiver, sender, 'pc')];
  await sender.cmd('addTrack', test.track);
  const offer = await sender.cmd('createOffer', { set: true });
  assert.match(offer.sdp, test.expects);
  await receiver.cmd('setRemote', { desc: signalled(offer) });
  ways[0].release();
  const answer = await receiver.cmd('createAnswer', { set: true });
  assert.match(answer.sdp, test.expects);
  if (test.track.kind === 'video') await sender.cmd('setSender', { kind: 'video', maxBitrate: 1_000_000, degradationPreference: 'maintain-resolution' });
  await sender.cmd('setRemote', { desc: signalled(answer) });
  ways[1].release();
  if (options.log) console.log(offer.sdp, answer.sdp);
  for (const peer of [sender, receiver]) await peer.cmd('wait', { kind: 'connection', value: 'connected', timeout: 20000 });
}

/// How much of the sound was invented, from one measurement to the next.
const inventedShare = (from, to) => (to.concealedSamples - from.concealedSamples) / (to.totalSamplesReceived - from.totalSamplesReceived);

async function check(sender, receiver) {
  await eventually('repair begins', 40000, async () => {
    const got = await streamOf(receiver, 'inbound-rtp');
    if (nothingElse) return (await streamOf(sender, 'outbound-rtp')).parleyFecPacketsSent > 20 ? null : 'no FEC is sent';
    return got.fecPacketsReceived > 20 ? null : JSON.stringify([got, await streamOf(sender, 'outbound-rtp'), await streamOf(sender, 'remote-inbound-rtp')]);
  });
  const before = await streamOf(receiver, 'inbound-rtp');
  const sentBefore = await streamOf(sender, 'outbound-rtp');
  await sleep(SECONDS * 1000);
  const got = await streamOf(receiver, 'inbound-rtp');
  const sent = await streamOf(sender, 'outbound-rtp');
  const figures = {
    packets: got.packetsReceived - before.packetsReceived,
    lost: got.packetsLost - before.packetsLost,
    fec: got.fecPacketsReceived - before.fecPacketsReceived,
    fecDiscarded: got.fecPacketsDiscarded - before.fecPacketsDiscarded,
    restored: got.parleyRestoredPackets - before.parleyRestoredPackets,
    nacks: got.nackCount - before.nackCount,
    frames: got.framesDecoded - before.framesDecoded,
    framesSent: sent.framesSent - sentBefore.framesSent,
    fecSent: sent.parleyFecPacketsSent,
    invented: inventedShare(before, got),
    fecSsrc: got.fecSsrc,
  };
  console.log(JSON.stringify(figures));
  assert(figures.lost > 10, 'the path loses packets');
  if (name === 'red') {
    // Half of what is lost would be far more.
    assert(figures.invented < 0.05, `${(figures.invented * 100).toFixed(1)} % of the sound was invented`);
  } else {
    if (nothingElse) assert.equal(got.nackCount, 0);
    else assert(figures.fec - figures.fecDiscarded > figures.lost / 5, 'FEC is of use');
    assert(figures.frames > figures.framesSent * (nothingElse ? 0.5 : 0.9), 'pictures flow');
  }
  if (name === 'flexfec') assert(got.fecSsrc, 'FEC has a source of its own');
}

let code = 0;
try {
  link = await Link.start(options.link);
  link.shape({ path: nothingElse ? test.path.replace('loss=0.05', 'loss=0.01') : test.path });
  peers.push(await start(kinds[0], 'left'), await start(kinds[1], 'right'));
  await call(...peers);
  await check(...peers);
  console.log(`ok: ${name} from ${kinds[0]} to ${kinds[1]}`);
} catch (error) {
  console.error(error.stack);
  code = 1;
}
await Promise.all(peers.map(peer => peer.quit()));
link?.say('quit');
process.exit(code);

// node side_by_side.mjs --link PROGRAM --native PROGRAM [--out FILE] [--cases NAME,...] [--pairs NAME,...] [--seconds N]
//     [--rounds N] [--trace FOLDER]
//
// The same call over the same shaped path three times: Chromium to Chromium, Parley to Chromium, Chromium to Parley.
// The sender's video is noise of 640x360 (or what the case says) at 30 Hz, VP8, up to 4 Mb/s. Prints a table, stores JSON. To be run by `run`,
// which makes the namespaces "left" (sends) and "right".
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Peer } from '../../interop/peer.mjs';
import { CASES, capacityBytes } from './cases.mjs';
import { Link, exchange, withoutCandidates } from './link.mjs';

const PAIRS = {
  'chromium-chromium': ['chromium', 'chromium'],
  'parley-chromium': ['parley', 'chromium'],
  'chromium-parley': ['chromium', 'parley'],
  'parley-parley': ['parley', 'parley'],
};
const BASE = 'chromium-chromium';
const MAX_BITRATE = 4_000_000;
const SETTLE_S = 5;

const { values: options } = parseArgs({
  options: {
    link: { type: 'string' },
    native: { type: 'string' },
    out: { type: 'string' },
    cases: { type: 'string', default: Object.keys(CASES).join() },
    pairs: { type: 'string' }, // instead of those of the case
    seconds: { type: 'string' }, // shorter, to try something
    rounds: { type: 'string', default: '1' },
    trace: { type: 'string' }, // folder for the bandwidth estimates of the native peer's connections
  },
});
const sleep = ms => new Promise(done => setTimeout(done, ms));
const cases = options.cases.split(',');
const pairsOf = shape => options.pairs?.split(',') ?? shape.pairs ?? [BASE, 'parley-chromium', 'chromium-parley'];
for (const name of [...cases.filter(n => !CASES[n]), ...(options.pairs?.split(',') ?? []).filter(n => !PAIRS[n])]) {
  console.error(`there is no ${name}; cases: ${Object.keys(CASES).join(' ')}; pairs: ${Object.keys(PAIRS).join(' ')}`);
  process.exit(2);
}

// ---- a call --------------------------------------------------------------------------------------

const programs = { chromium: 'chromium', parley: options.native };
const started = new Map();

/// A little ahead of what else runs here, and all of them alike.
async function peerOn(side, kind) {
  const key = `${side} ${kind}`;
  if (!started.has(key)) {
    const before = ['ip', 'netns', 'exec', side, 'nice', '-n', process.getuid() === 0 ? '-5' : '0'];
    const words = ['--all-interfaces'];
    if (kind === 'chromium') words.push('--arg=--disable-gpu');
    else if (options.trace) words.push('--trace', options.trace);
    const peer = await Peer.start(programs[kind], words, before);
    peer.isOurs = kind === 'parley';
    started.set(key, peer);
  }
  return started.get(key);
}

async function call(sender, receiver, pc, { picture = { width: 640, height: 360 }, degradation = 'maintain-resolution', config }) {
  for (const peer of [sender, receiver]) await peer.cmd('create', { pc, config: peer.isOurs ? config : undefined });
  const ways = [exchange(sender, receiver, pc), exchange(receiver, sender, pc)];
  await sender.cmd('addTrack', { pc, kind: 'video', source: 'noise', ...picture, fps: 30, direction: 'sendonly', codecs: ['VP8', 'rtx'] });
  const offer = await sender.cmd('createOffer', { pc, set: true });
  await receiver.cmd('setRemote', { pc, desc: withoutCandidates(offer) });
  ways[0].release();
  const answer = await receiver.cmd('createAnswer', { pc, set: true });
  await sender.cmd('setSender', { pc, kind: 'video', maxBitrate: MAX_BITRATE, degradationPreference: degradation });
  await sender.cmd('setRemote', { pc, desc: withoutCandidates(answer) });
  ways[1].release();
  for (const peer of [sender, receiver]) await peer.cmd('wait', { pc, kind: 'connection', value: 'connected', timeout: 20000 });
  return {
    async end() {
      ways.forEach(way => way.end());
      for (const peer of [sender, receiver]) await peer.cmd('close', { pc });
    },
  };
}

async function streamOf(peer, pc, type) {
  const found = (await peer.cmd('stats', { pc, types: [type] })).find(s => s.kind === 'video');
  return found ?? {};
}

async function measure(link, name, pair) {
  const shape = CASES[name];
  const seconds = options.seconds ? Number(options.seconds) : shape.seconds;
  const [sender, receiver] = [await peerOn('left', PAIRS[pair][0]), await peerOn('right', PAIRS[pair][1])];
  link.shape(shape);
  const began = Date.now();
  const calls = [];
  const names = [];
  const ends = [];
  for (const [index, start] of (shape.starts ?? [0]).entries()) {
    await sleep(Math.max(0, began + start * 1000 - Date.now()));
    names.push(`pc${index}`);
    calls.push(await call(sender, receiver, names.at(-1), shape));
  }
  await sleep(Math.max(0, began + seconds * 1000 - Date.now()));
  const { ab, ba } = await link.report();
  for (const pc of names) {
    ends.push({ sent: await streamOf(sender, pc, 'outbound-rtp'), got: await streamOf(receiver, pc, 'inbound-rtp') });
  }
  for (const one of calls) await one.end();
  const sum = (side, key) => ends.reduce((total, end) => total + (end[side][key] ?? 0), 0);
  const could = capacityBytes(shape, SETTLE_S, seconds, MAX_BITRATE);
  const settled = ab.kbps.slice(SETTLE_S * 5, Math.floor(seconds * 5)).reduce((total, kbps) => total + (kbps * 1000) / 8 / 5, 0);
  const flows = Object.values(ab.flows).filter(bytes => bytes > 20_000).sort((x, y) => x - y);
  const decodedFor = seconds - (shape.starts?.at(-1) ?? 0) / (shape.starts?.length ?? 1);
  return {
    sent_kbps: (ab.bytes * 8) / ab.seconds / 1000,
    utilisation_ratio: settled / could,
    queueing_delay_ms_p50: ab.wait_ms_p50,
    queueing_delay_ms_p95: ab.wait_ms_p95,
    queue_drop_ratio: ab.dropped / Math.max(1, ab.packets),
    marked_ratio: ab.marked / Math.max(1, ab.packets),
    frames_decoded: sum('got', 'framesDecoded'),
    frame_rate_fps: sum('got', 'framesDecoded') / decodedFor / names.length,
    frames_sent: sum('sent', 'framesSent'),
    frame_width: ends.at(-1).sent.frameWidth ?? 0, // in the end
    frame_height: ends.at(-1).sent.frameHeight ?? 0,
    size_changes: sum('sent', 'qualityLimitationResolutionChanges'),
    freezes: sum('got', 'freezeCount'),
    freeze_s: sum('got', 'totalFreezesDuration'),
    key_frames: sum('got', 'keyFramesDecoded'),
    nack_count: sum('got', 'nackCount'),
    pli_count: sum('got', 'pliCount'),
    packets_lost: sum('got', 'packetsLost'),
    jitter_buffer_ms: (1000 * sum('got', 'jitterBufferDelay')) / Math.max(1, sum('got', 'jitterBufferEmittedCount')),
    quantizer_mean: sum('sent', 'qpSum') / Math.max(1, sum('sent', 'framesEncoded')),
    retransmitted_kb: sum('sent', 'retransmittedBytesSent') / 1000,
    feedback_kbps: (ba.bytes * 8) / ba.seconds / 1000,
    ...(flows.length > 1 ? { smaller_share_ratio: flows.at(-2) / (flows.at(-1) + flows.at(-2)) } : {}),
    load_average: loadavg()[0],
    kbps_per_200_ms: ab.kbps,
  };
}

// ---- results -------------------------------------------------------------------------------------

const median = list => [...list].sort((x, y) => x - y)[Math.floor(list.length / 2)];
function combined(results) {
  const out = {};
  for (const key of Object.keys(results[0])) {
    out[key] = typeof results[0][key] === 'number' ? median(results.map(r => r[key])) : results[0][key];
  }
  return out;
}

/// Where `ours` is worse than `base` by more than two calls of the same kind differ.
function worse(ours, base) {
  const out = [];
  if (ours.utilisation_ratio < base.utilisation_ratio * 0.95 - 0.01) out.push('rate');
  if (ours.queueing_delay_ms_p95 > base.queueing_delay_ms_p95 * 1.15 + 15) out.push('delay');
  if (ours.freeze_s > base.freeze_s * 1.15 + 0.3) out.push('freezes');
  if (ours.frames_decoded < base.frames_decoded * 0.95) out.push('frames');
  if (ours.smaller_share_ratio < Math.min(0.45, base.smaller_share_ratio * 0.95)) out.push('share');
  return out;
}
function better(ours, base) {
  const out = [];
  if (ours.utilisation_ratio * 0.95 - 0.01 > base.utilisation_ratio) out.push('rate');
  if (ours.queueing_delay_ms_p95 * 1.15 + 15 < base.queueing_delay_ms_p95) out.push('delay');
  if (ours.freeze_s * 1.15 + 0.3 < base.freeze_s) out.push('freezes');
  if (ours.frames_decoded * 0.95 > base.frames_decoded) out.push('frames');
  if (ours.smaller_share_ratio > 0.45 && base.smaller_share_ratio < 0.45) out.push('share');
  return out;
}

const report = {};
const HEAD = ['case', 'pair', 'kb/s', 'use %', 'p50 ms', 'p95 ms', 'drop %', 'frames', 'freezes', 'frozen s', 'share %', 'size', 'load'];
const WIDTHS = [11, 18, 6, 6, 7, 7, 7, 7, 8, 9, 8, 9, 5];
const row = cells => console.log(cells.map((cell, i) => (i < 2 ? String(cell).padEnd(WIDTHS[i]) : String(cell).padStart(WIDTHS[i]))).join(' '));
function show(name, pair, r, note) {
  const share = r.smaller_share_ratio === undefined ? '' : (r.smaller_share_ratio * 100).toFixed(0);
  row([name, pair, r.sent_kbps.toFixed(0), (r.utilisation_ratio * 100).toFixed(0), r.queueing_delay_ms_p50.toFixed(0), r.queueing_delay_ms_p95.toFixed(0),
    (r.queue_drop_ratio * 100).toFixed(2), r.frames_decoded, r.freezes, r.freeze_s.toFixed(1), share, `${r.frame_width}x${r.frame_height}`, r.load_average.toFixed(1), note]);
}

let link;
let code = 0;
async function end() {
  await Promise.all([...started.values()].map(peer => peer.quit()));
  link?.say('quit');
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
try {
  link = await Link.start(options.link);
  row(HEAD);
  for (const name of cases) {
    const pairs = pairsOf(CASES[name]);
    const results = Object.fromEntries(pairs.map(pair => [pair, []]));
    // In turns, so that what else the machine does meets all alike.
    for (let round = 0; round < Number(options.rounds); round++) {
      for (const pair of pairs) results[pair].push(await measure(link, name, pair));
    }
    for (const pair of pairs) {
      const result = combined(results[pair]);
      const base = pair === BASE || !results[BASE] ? undefined : combined(results[BASE]);
      if (base) Object.assign(result, { worse_in: worse(result, base).join(' '), better_in: better(result, base).join(' ') });
      report[`side_by_side/${name}/${pair}`] = result;
      show(name, pair, result, [result.worse_in && `worse: ${result.worse_in}`, result.better_in && `better: ${result.better_in}`].filter(Boolean).join('; '));
    }
    if (options.out) writeFileSync(options.out, JSON.stringify(report, null, 1));
  }
} catch (error) {
  console.error(error.stack);
  code = 1;
}
await end();

// node sfu_page.test.mjs PROGRAM: rooms of examples/sfu in real browsers. One Chromium sends three simulcast encodings, five
// pages and a Firefox look, each with a limit of its own; limits and windows change, and nobody's picture stands still.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleProgram, SKIPPED, check, measured, sleep, until } from './example_program.mjs';

const CHROMIUM = '/usr/bin/chromium';
if (!existsSync(CHROMIUM) || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: chromium or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { chromium } = await import('playwright-core');

/// A switch may cost this much of a picture's steady flow.
const MAX_GAP_MS = 300;
/// kb/s: enough for the smallest encoding alone.
const LOWEST = 110;
const WINDOW = { width: 1280, height: 900 };

const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const folder = mkdtempSync(join(tmpdir(), 'parley-sfu-test-'));
const program = new ExampleProgram(process.argv[2], ['--port', '0']);
let browser;
let firefoxStarted;

async function open(url, size = WINDOW) {
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  page.on('pageerror', error => say(`page: ${error}`));
  await page.goto(url);
  return page;
}

/// Reads every picture of who is looked at, with its time and height, from now on.
const startMeter = page => page.evaluate(() => {
  const tile = [...window.tiles.values()].find(t => t.number !== window.room.number);
  const track = tile?.stream.getVideoTracks()[0];
  if (!track) return false;
  window.pictures = [];
  const reader = new MediaStreamTrackProcessor({ track: track.clone() }).readable.getReader();
  (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      window.pictures.push({ at: performance.now(), media: value.timestamp / 1000, height: value.displayHeight });
      value.close();
    }
  })();
  return true;
});

/// Of the pictures since the last call: how many, the longest they stood still, by the page's clock and by their own
/// timestamps, and the height of the last.
const takePictures = page => page.evaluate(() => {
  const all = window.pictures;
  window.pictures = all.slice(-1);
  const longest = key => all.slice(1).reduce((most, picture, i) => Math.max(most, picture[key] - all[i][key]), 0);
  return { count: all.length - 1, gap: longest('at'), mediaGap: longest('media'), height: all.at(-1)?.height ?? 0 };
});
const heightNow = page => page.evaluate(() => window.pictures.at(-1)?.height ?? 0);

/// What the browser itself says of the only picture that it receives.
const inbound = page => page.evaluate(async () => {
  for (const entry of (await window.room.down.getStats()).values()) {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
      return {
        frames: entry.framesDecoded, bytes: entry.bytesReceived, freezes: entry.freezeCount ?? 0,
        frozen: entry.totalFreezesDuration ?? 0, lost: entry.packetsLost, height: entry.frameHeight,
      };
    }
  }
  return null;
});

const limit = (page, kbps) => page.evaluate(value => window.room.tell({ type: 'limit', kbps: value }), kbps);

async function lookInFirefox(url) {
  if (!existsSync('/usr/bin/firefox-esr')) return null;
  const { startFirefox } = await import('./browsers/firefox.mjs');
  const options = { tone: '440', mdns: false, pref: [], arg: [] };
  return startFirefox({ options, folder, url, width: 1280, height: 900, onEvent: () => {} });
}

async function run() {
  const url = await program.url();
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
    '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update', '--no-pings'];
  const launched = chromium.launch({ executablePath: CHROMIUM, headless: true, args });
  firefoxStarted = lookInFirefox(`${url}?name=Fay&watch`);
  browser = await launched;
  // Of less than 540 lines Chromium makes two encodings at most.
  const sender = await open(`${url}?name=Ann&height=540`);
  await until('the sender is in the room', () => sender.evaluate(() => window.room.up.connectionState === 'connected'), 30);
  const limits = [LOWEST, 200, 500, 800, 0];
  const pages = await Promise.all(limits.map(kbps => open(`${url}?name=Max${kbps}&watch&limit=${kbps}`)));
  for (const page of pages) await until('pictures can be read', () => startMeter(page), 30);
  for (const page of pages) await until('pictures come', async () => (await heightNow(page)) > 0, 30);
  say('all five see the sender');

  const free = pages.at(-1);
  const outbound = () => sender.evaluate(async () => {
    const rows = [];
    for (const entry of (await window.room.up.getStats()).values()) {
      if (entry.type === 'candidate-pair' && entry.nominated) rows.available = entry.availableOutgoingBitrate;
      if (entry.type !== 'outbound-rtp' || entry.kind !== 'video') continue;
      rows.push({ rid: entry.rid, height: entry.frameHeight ?? 0, fps: entry.framesPerSecond ?? 0, target: entry.targetBitrate, limit: entry.qualityLimitationReason });
    }
    return { available: rows.available, rows: rows.sort((a, b) => a.height - b.height) };
  });
  const sent = await until('three encodings are sent', async () => {
    const { rows } = await outbound();
    return rows.length === 3 && rows.every(row => row.fps > 0) && rows.map(({ rid, height }) => [rid, height]);
  }, 40).catch(async error => {
    say('outbound:', JSON.stringify(await outbound()));
    throw error;
  });
  const [low, , high] = sent.map(([, height]) => height);
  say('encodings:', JSON.stringify(sent));
  await until('who has no limit gets the largest', async () => (await heightNow(free)) === high, 30);
  await until('who has the lowest gets the smallest', async () => (await heightNow(pages[0])) === low, 10);

  // A steady state: everybody within their limit, and moving.
  await until('higher limits have no smaller pictures', async () => {
    const heights = await Promise.all(pages.map(heightNow));
    return heights.every((height, i) => i === 0 || height >= heights[i - 1]);
  }, 20);
  for (const page of pages) await takePictures(page);
  const bytes = await Promise.all(pages.map(async page => (await inbound(page)).bytes));
  const seconds = 4;
  await sleep(seconds * 1000);
  const steady = [];
  for (const [i, page] of pages.entries()) {
    const kbps = ((await inbound(page)).bytes - bytes[i]) * 8 / 1000 / seconds;
    steady.push({ limit: limits[i], kbps: Math.round(kbps), ...(await takePictures(page)) });
  }
  say('steady:', JSON.stringify(steady));
  for (const { limit: most, kbps, count } of steady) {
    check('pictures move', count > 5 * seconds, steady);
    if (most > LOWEST) check('the limit is kept', kbps < most * 1.15, steady);
  }

  // Switches, three each way: by the limit and by the window.
  const before = await Promise.all(pages.map(inbound));
  const switches = [];
  const control = pages[3]; // whose limit and window stay as they are
  const switchTo = async (what, page, change, height) => {
    await Promise.all([takePictures(page), takePictures(control)]);
    const start = Date.now();
    await change();
    await until(`${what} to ${height}`, async () => (await heightNow(page)) === height, 15);
    const tookMs = Date.now() - start;
    await sleep(700);
    const [{ gap, mediaGap }, other] = await Promise.all([takePictures(page), takePictures(control)]);
    switches.push({ what, height, tookMs, gap: Math.round(gap), mediaGap: Math.round(mediaGap), othersGap: Math.round(other.gap) });
  };
  await switchTo('limit', free, () => limit(free, LOWEST), low);
  await switchTo('limit', pages[0], () => limit(pages[0], 0), high);
  await switchTo('limit', free, () => limit(free, 0), high);
  await switchTo('window', free, () => free.setViewportSize({ width: 500, height: 260 }), low);
  await switchTo('window', free, () => free.setViewportSize(WINDOW), high);
  await switchTo('limit', pages[0], () => limit(pages[0], LOWEST), low);
  say('switches:', JSON.stringify(switches));
  const after = await Promise.all(pages.map(inbound));
  const freezes = after.map((now, i) => ({ limit: limits[i], freezes: now.freezes - before[i].freezes, frozen: now.frozen - before[i].frozen }));
  say('freezes while that went on:', JSON.stringify(freezes));
  // On a machine that is busy the camera itself halts: seen by somebody who is not switched.
  check('no switch stops the picture', switches.every(({ gap, mediaGap, othersGap }) =>
    Math.max(gap, mediaGap) <= MAX_GAP_MS + Math.max(0, othersGap - 100)), switches);
  const busy = freezes[3].frozen;
  check('nor anybody else\'s', freezes.every(({ frozen }) => frozen <= MAX_GAP_MS / 1000 + busy), freezes);

  const speaks = await until('the sender\'s tone is heard as the one who speaks', () => free.evaluate(() =>
    [...window.tiles.values()].some(tile => tile.figure.classList.contains('speaks'))), 5).catch(() => false);
  await pages[1].evaluate(() => window.room.tell({ type: 'chat', text: 'hello' }));
  await until('what one says all read', () => sender.evaluate(() => document.querySelector('#log').textContent.includes('hello')));

  const firefox = await firefoxStarted;
  let firefoxFps = null;
  if (firefox) {
    const frames = () => firefox.evaluate(() => document.querySelector('#grid video')?.mozPaintedFrames ?? 0);
    const first = await until('Firefox shows the sender', frames, 25);
    await sleep(2000);
    firefoxFps = ((await frames()) - first) / 2;
    check('its picture moves', firefoxFps > 5, firefoxFps);
    await firefox.evaluate(() => window.room.tell({ type: 'limit', kbps: 110 })); // LOWEST
    const height = () => firefox.evaluate(() => document.querySelector('#grid video').videoHeight);
    await until('Firefox follows its limit', async () => (await height()) === low, 15);
    await firefox.evaluate(() => window.room.tell({ type: 'limit', kbps: 0 }));
    await until('and back', async () => (await height()) === high, 15);
    say('Firefox:', firefoxFps, 'fps');
  }

  // Who leaves is gone for the others.
  await sender.close();
  await until('nobody is left to see', () => free.evaluate(() => window.tiles.size === 0), 30);
  const worst = key => Math.max(...switches.map(entry => entry[key]));
  measured('sfu', {
    steady_fps: Math.min(...steady.map(({ count }) => count / seconds)), switch_gap_ms: worst('gap'),
    switch_media_gap_ms: worst('mediaGap'), freezes_count: freezes.reduce((sum, entry) => sum + entry.freezes, 0),
    speaker_found: speaks ? 1 : 0, ...(firefoxFps === null ? {} : { firefox_fps: firefoxFps }),
  });
}

let code = 1;
try {
  await run();
  code = 0;
  say('passed');
} catch (error) {
  console.error(error);
} finally {
  await browser?.close();
  await (await firefoxStarted?.catch(() => null))?.stop();
  if ((await program.interrupt()) !== 0) {
    console.error('the program did not end well');
    code = 1;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(code);

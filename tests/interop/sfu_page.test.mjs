// node sfu_page.test.mjs PROGRAM: the room of examples/sfu in a real Chromium: one page sends (simulcast), two look.
import { existsSync } from 'node:fs';
import { ExampleProgram, SKIPPED, check, measured, sleep, until } from './example_program.mjs';

const CHROMIUM = '/usr/bin/chromium';
if (!existsSync(CHROMIUM) || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: chromium or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { chromium } = await import('playwright-core');

const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const program = new ExampleProgram(process.argv[2], ['--port', '0']);
let browser;

async function open(url, size) {
  const context = await browser.newContext({ viewport: size });
  const page = await context.newPage();
  page.on('pageerror', error => say(`page: ${error}`));
  await page.goto(url);
  return page;
}

/// What a page that looks sees of the only sender.
const seen = page => page.evaluate(() => {
  const view = [...window.views.values()][0];
  if (!view) return null;
  const { video, layers } = view;
  return { frames: video.getVideoPlaybackQuality().totalVideoFrames, width: video.videoWidth, height: video.videoHeight, layers };
});

async function inbound(page) {
  return page.evaluate(async () => {
    const view = [...window.views.values()][0];
    for (const entry of (await view.pc.getStats()).values()) {
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') {
        return { freezes: entry.freezeCount, frozen: entry.totalFreezesDuration, lost: entry.packetsLost, keyFrames: entry.keyFramesDecoded };
      }
    }
    return {};
  });
}

async function fpsOf(page, seconds) {
  const before = (await seen(page)).frames;
  await sleep(seconds * 1000);
  return ((await seen(page)).frames - before) / seconds;
}

async function run() {
  const url = await program.url();
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update', '--no-pings'],
  });
  const sender = await open(url, { width: 640, height: 400 });
  await until('the sender sends', () => sender.evaluate(() => window.sending?.connectionState === 'connected'), 30);
  const small = await open(`${url}?watch`, { width: 320, height: 200 });
  const large = await open(`${url}?watch`, { width: 1600, height: 1000 });
  for (const page of [small, large]) await until('pictures come', async () => (await seen(page))?.frames > 10, 30);
  say('both see the sender');
  const encodings = await sender.evaluate(async () => {
    const out = [];
    for (const entry of (await window.sending.getStats()).values())
      if (entry.type === 'outbound-rtp' && entry.kind === 'video' && entry.framesSent > 0) out.push(entry.rid);
    return out;
  });
  say('the sender sends', JSON.stringify(encodings));
  check('more than one encoding is sent', encodings.length > 1, encodings);
  // The window that is larger gets the larger picture.
  await until('the large window has a larger picture than the small one', async () => {
    const [a, b] = [await seen(small), await seen(large)];
    return a.width > 0 && b.width > a.width;
  }, 40);
  const fps = [await fpsOf(small, 3), await fpsOf(large, 3)];
  check('both move', fps.every(value => value > 4), fps);
  // A window that shrinks and grows: the encodings change, and the picture goes on.
  const before = await inbound(large);
  await large.setViewportSize({ width: 300, height: 200 });
  await until('the picture follows the window down', async () => (await seen(large)).width <= (await seen(small)).width, 20);
  await large.setViewportSize({ width: 1600, height: 1000 });
  await until('and up', async () => (await seen(large)).width > (await seen(small)).width, 40);
  const after = await inbound(large);
  say('small', JSON.stringify(await seen(small)), 'large', JSON.stringify(await seen(large)), 'freezes', JSON.stringify([before, after]));
  // Who leaves is gone for the others.
  await sender.close();
  await until('nobody is left to see', () => large.evaluate(() => window.views.size === 0), 30);
  measured('sfu', { small_fps: fps[0], large_fps: fps[1], switch_freezes_count: (after.freezes ?? 0) - (before.freezes ?? 0) });
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
  if ((await program.interrupt()) !== 0) {
    console.error('the program did not end well');
    code = 1;
  }
}
process.exit(code);

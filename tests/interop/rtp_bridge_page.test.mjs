// node rtp_bridge_page.test.mjs PROGRAM: FFmpeg's RTP is seen and heard in Chromium through examples/rtp_bridge, and
// Chromium's camera and microphone come out as RTP that FFmpeg plays.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleProgram, SKIPPED, check, measured, sleep, until } from './example_program.mjs';

const CHROMIUM = '/usr/bin/chromium';
const missing = !existsSync(CHROMIUM) || !existsSync(new URL('node_modules/.stamp', import.meta.url)) ||
  spawnSync('ffmpeg', ['-version']).status !== 0;
if (missing) {
  console.log('SKIP: chromium, ffmpeg or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { chromium } = await import('playwright-core');

const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const folder = mkdtempSync(join(tmpdir(), 'parley-bridge-test-'));
const sdp = join(folder, 'out.sdp');
// Pairs of ports, for RTCP goes to the next one.
const first = 20000 + 2 * (process.pid % 5000);
const [videoIn, audioIn, videoOut, audioOut] = [0, 4, 8, 12].map(n => first + n);
const children = [];
let browser;

function ffmpeg(...args) {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

const program = new ExampleProgram(process.argv[2], ['--port', '0', '--sdp', sdp, '--video-in', `${videoIn}`, '--audio-in', `${audioIn}`,
  '--video-out', `127.0.0.1:${videoOut}`, '--audio-out', `127.0.0.1:${audioOut}`]);

/// What Chromium says of what it receives.
const inbound = page => page.evaluate(async () => {
  const out = {};
  for (const entry of (await window.pc.getStats()).values()) {
    if (entry.type !== 'inbound-rtp') continue;
    out[entry.kind] = { frames: entry.framesDecoded, height: entry.frameHeight, energy: entry.totalAudioEnergy,
      seconds: entry.totalSamplesDuration, lost: entry.packetsLost };
  }
  return out;
});

async function run() {
  const url = await program.url();
  ffmpeg('-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000',
    '-map', '0', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '400k', '-g', '25',
    '-f', 'rtp', `rtp://127.0.0.1:${videoIn}?pkt_size=1200`,
    '-map', '1', '-c:a', 'libopus', '-ac', '2', '-f', 'rtp', `rtp://127.0.0.1:${audioIn}`);
  const args = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
    '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update', '--no-pings'];
  browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
  const page = await (await browser.newContext()).newPage();
  page.on('pageerror', error => say(`page: ${error}`));
  await page.goto(url);
  await until('the page is connected', () => page.evaluate(() => window.pc?.connectionState === 'connected'), 30);
  await until('FFmpeg is seen', async () => (await inbound(page)).video?.frames > 10, 20);
  const before = await inbound(page);
  await sleep(4000);
  const after = await inbound(page);
  const fps = (after.video.frames - before.video.frames) / 4;
  const level = Math.sqrt((after.audio.energy - before.audio.energy) / (after.audio.seconds - before.audio.seconds));
  say('Chromium gets', JSON.stringify(after), `${fps} fps, level ${level.toFixed(3)}`);
  check('pictures move', fps > 15, fps);
  check('they are as they were sent', after.video.height === 180, after);
  // sine of lavfi: an eighth of full scale.
  check('the tone is heard', level > 0.05 && level < 0.2, level);

  const described = await until('what goes out is described', () => existsSync(sdp), 10);
  check('described', described);
  await sleep(1000);
  const player = ffmpeg('-protocol_whitelist', 'file,udp,rtp', '-t', '4', '-i', sdp, '-map', '0:v', '-f', 'rawvideo', '-pix_fmt', 'gray', '-s', '64x36', 'pipe:1',
    '-map', '0:a', '-f', 's16le', join(folder, 'out.pcm'));
  let bytes = 0;
  const seen = new Set();
  player.stdout.on('data', data => {
    bytes += data.length;
    for (const shade of data) seen.add(shade);
  });
  const ended = new Promise(done => player.on('close', done));
  await Promise.race([ended, sleep(25000)]);
  const frames = bytes / (64 * 36);
  say('FFmpeg decodes', frames, 'frames with', seen.size, 'shades');
  check('the camera comes out', frames > 40, frames);
  // Chromium's camera is a plane of one shade with a clock in it, whose edges have some thirty.
  check('with a picture in it', seen.size > 10, seen.size);
  measured('rtp_bridge', { in_fps: fps, out_frames_count: frames });
}

let code = 1;
try {
  await run();
  code = 0;
  say('passed');
} catch (error) {
  console.error(error);
} finally {
  children.forEach(child => child.kill('SIGKILL'));
  await browser?.close();
  if ((await program.interrupt()) !== 0) {
    console.error('the program did not end well');
    code = 1;
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(code);

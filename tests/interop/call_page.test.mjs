// node call_page.test.mjs PROGRAM [--screenshots FOLDER]: the call page of examples/call in a real Chromium.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ExampleProgram, SKIPPED, check, isMatroska, measured, until } from './example_program.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { screenshots: { type: 'string' } },
});
const CHROMIUM = '/usr/bin/chromium';
if (!existsSync(CHROMIUM) || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: chromium or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { chromium } = await import('playwright-core');

const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const folder = mkdtempSync(join(tmpdir(), 'parley-call-test-'));
const files = { record: join(folder, 'call.webm'), report: join(folder, 'report.json'), received: join(folder, 'files') };
const program = new ExampleProgram(positionals[0], [
  '--port', '0', '--record', files.record, '--report', files.report, '--files', files.received, '--quota', '16', '--max-calls', '2',
]);
let browser;
const shots = options.screenshots;
if (shots) mkdirSync(shots, { recursive: true });
const shoot = (page, name) => shots && page.screenshot({ path: join(shots, `${name}.png`) });

const frames = page => page.evaluate(() => document.querySelector('#remote').getVideoPlaybackQuality().totalVideoFrames);
const text = (page, selector) => page.locator(selector).first().textContent();
const inCall = page => until('the page is in a call', async () => (await text(page, '#statusText')) === 'Connected', 20);

async function open(url, size) {
  const context = await browser.newContext({ viewport: size, deviceScaleFactor: size.width < 500 ? 2 : 1 });
  const page = await context.newPage();
  page.on('pageerror', error => say(`page: ${error}`));
  await page.goto(url);
  return page;
}

/// Pictures come and change, and the page's own arrive at the peer.
async function videoPlays(page) {
  const before = await until('the peer\'s picture', () => frames(page));
  const seconds = 3;
  await page.waitForTimeout(seconds * 1000);
  const fps = ((await frames(page)) - before) / seconds;
  const size = await page.evaluate(() => [document.querySelector('#remote').videoWidth, document.querySelector('#remote').videoHeight].join('x'));
  say(`video ${size}, ${fps.toFixed(1)} fps`);
  check('the picture moves', fps > 5, fps);
  return { fps, size };
}

async function chats(page) {
  await page.fill('#text', 'Is anybody there? <b>\u00e4\u4f60</b>');
  await page.press('#text', 'Enter');
  await until('the echo', async () => (await page.locator('.msg:not(.me):not(.note)').allTextContents()).includes('Is anybody there? <b>\u00e4\u4f60</b>'));
  program.type('typed at the terminal');
  await until('what was typed', async () => (await page.locator('.msg:not(.me):not(.note)').allTextContents()).includes('typed at the terminal'));
}

async function takesFiles(page) {
  const content = randomBytes(6 * 1024 * 1024 + 77);
  const path = join(folder, 'holiday film.bin');
  writeFileSync(path, content);
  const sent = Date.now();
  await page.setInputFiles('#pick', path);
  await until('the file is through', async () => (await page.locator('.file[data-state=done]').count()) === 1);
  const seconds = (Date.now() - sent) / 1000;
  const sha256 = createHash('sha256').update(content).digest('hex');
  check('the page found the same checksum', (await page.locator('.file').getAttribute('data-sha256')) === sha256);
  check('the file on disk is the same', content.equals(readFileSync(join(files.received, 'holiday film.bin'))));
  // Above the quota, and with a name that wants out of the folder.
  writeFileSync(path, Buffer.alloc(17 * 1024 * 1024));
  await page.setInputFiles('#pick', path);
  await until('a file above the quota is refused', async () => (await page.locator('.file[data-state=failed]').count()) === 1);
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(['escape'], '../../etc/passwd'));
    dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, cancelable: true }));
  });
  await until('the dropped file is through', async () => (await page.locator('.file[data-state=done]').count()) === 2);
  const names = readdirSync(files.received).sort();
  check('only files in the folder', names.length === 2 && names.every(name => !name.includes('/')), names);
  say(`files: 6 MiB in ${seconds.toFixed(1)} s, stored as ${names.join(', ')}`);
  return content.length / 1024 / 1024 / seconds;
}

async function buttonsWork(page) {
  const enabled = kind => page.evaluate(k => navigatorTracks(k), kind);
  await page.evaluate(() => {
    window.navigatorTracks = kind => document.querySelector('#local').srcObject.getTracks().filter(t => t.kind === kind).map(t => t.enabled)[0];
  });
  await page.click('#cam');
  check('the camera is off', (await enabled('video')) === false);
  check('its button says so', (await page.locator('#cam').getAttribute('aria-label')) === 'Turn camera on');
  await page.click('#mic');
  check('the microphone button is pressed', (await page.locator('#mic').getAttribute('aria-pressed')) === 'true');
  await shoot(page, 'desktop-muted');
  await page.click('#cam');
  await page.click('#mic');
  check('the camera is on again', (await enabled('video')) === true);
}

async function chartsShow(page) {
  const shown = await until('figures in all charts', async () => {
    const values = await page.locator('.chart b').allTextContents();
    return values.every(Boolean) && values;
  });
  check('rates, frames, round trip and loss', /b\/s/.test(shown[0]) && /fps/.test(shown[1]) && /ms/.test(shown[2]) && /%/.test(shown[3]), shown);
  check('the path is told', /udp/.test(await text(page, '#path')), await text(page, '#path'));
  say(`charts: ${shown.join(', ')}; path ${await text(page, '#path')}; media ${await text(page, '#media')}; ${await text(page, '#security')}`);
}

/// What other pages could try with our server.
async function isGuarded(url) {
  const { request } = await import('node:http');
  const status = (path, headers, method = 'POST', body = '{}') => new Promise((done, fail) => {
    const call = request(new URL(path, url), { method, headers: { 'content-type': 'application/json', ...headers } }, response => {
      response.resume();
      done(response.statusCode);
    });
    call.on('error', fail);
    call.end(body);
  });
  check('another origin may not call', (await status('/api/calls', { origin: 'http://evil.example' })) === 403);
  check('a rebound name may not call', (await status('/api/calls', { host: 'evil.example', origin: 'http://evil.example' })) === 403);
  check('unknown calls are unknown', (await status(`/api/calls/${'0'.repeat(32)}/offer`, {})) === 404);
  check('no paths', (await status('/..%2f..%2fetc/passwd', {}, 'GET')) === 404);
  check('no long bodies', (await status('/api/calls', {}, 'POST', 'x'.repeat(300 * 1024))) === 413);
}

let code = 0;
try {
  const url = await program.url();
  say(url);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required', '--disable-background-networking', '--disable-component-update', '--no-pings'],
  });
  const desktop = await open(url, { width: 1280, height: 800 });
  await inCall(desktop);
  say('the desktop page is in a call');
  const measures = await videoPlays(desktop);
  await chats(desktop);
  measures.file_mib_per_s = await takesFiles(desktop);
  await chartsShow(desktop);
  await shoot(desktop, 'desktop');
  await buttonsWork(desktop);

  const phone = await open(url, { width: 390, height: 844 });
  await inCall(phone);
  await until('the peer\'s picture on the phone', () => frames(phone));
  const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
  check('the page fits the phone', wide <= 390, wide);
  await shoot(phone, 'phone-chat');
  await phone.click('.tabs [data-tab=connection]');
  await chartsShow(phone);
  await shoot(phone, 'phone-connection');
  const third = await open(url, { width: 1280, height: 800 });
  await until('a third caller is told that the lines are busy', async () => (await text(third, '#bannerText')) === 'all lines are busy');
  await isGuarded(url);

  await desktop.click('#hang');
  await until('the page says so', async () => (await text(desktop, '#bannerTitle')) === 'You hung up');
  await shoot(desktop, 'desktop-ended');
  await program.line(/^call 1 \| over: the other side hung up/);
  await program.line(/^call 1 \| recorded/);
  await desktop.click('#again');
  await inCall(desktop);
  say('called again');

  check('Ctrl+C ends it', (await program.interrupt()) === 0);
  await until('the pages hear of it', async () => (await text(phone, '#bannerTitle')) === 'The peer hung up');
  check('a status line a second', program.lines.filter(line => /^call 1 \| .*rtt .* in .*kb\/s .*fps/.test(line)).length >= 5);
  check('the recording is one', isMatroska(files.record) && statSync(files.record).size > 50_000);
  const report = JSON.parse(readFileSync(files.report));
  const first = report.calls.find(call => call.call === 1);
  check('the report tells of three calls', report.calls.length === 3, report.calls.length);
  check('and of what came', first.connected && first.received_video_frames > 20 && first.files === 1 + 1 && first.chat_messages === 1, first);
  measured('call_page', { page_video_fps_mean: measures.fps, file_mib_per_s: measures.file_mib_per_s, ...first });
  say('PASSED', JSON.stringify({ ...measures, ...first }));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  console.error(program.lines.slice(-12).join('\n'));
  code = 1;
}
program.kill();
await browser?.close();
rmSync(folder, { recursive: true, force: true });
process.exit(code);

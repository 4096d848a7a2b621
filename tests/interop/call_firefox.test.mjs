// node call_firefox.test.mjs PROGRAM [--screenshots FOLDER]: the call page of examples/call in a real Firefox, in short.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleProgram, SKIPPED, check, measured, sleep, until } from './example_program.mjs';

if (!existsSync('/usr/bin/firefox-esr') || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: firefox-esr or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { startFirefox } = await import('./browsers/firefox.mjs');
const [path, flag, shots] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'parley-call-test-'));
const report = join(folder, 'report.json');
const program = new ExampleProgram(path, ['--port', '0', '--report', report]);
let browser;
let code = 0;
try {
  const options = { tone: '440', mdns: false, pref: [], arg: [] };
  browser = await startFirefox({ options, folder, url: await program.url(), width: 1280, height: 800, onEvent: () => {} });
  await until('the page is in a call', () => browser.evaluate(() => document.querySelector('#statusText').textContent === 'Connected'), 25);
  // Firefox leaves getVideoPlaybackQuality at zero for streams.
  const frames = () => browser.evaluate(() => document.querySelector('#remote').mozPaintedFrames);
  const before = await until('the peer\'s picture', frames);
  await sleep(3000);
  const fps = ((await frames()) - before) / 3;
  check('the picture moves', fps > 5, fps);
  await browser.evaluate(() => {
    document.querySelector('#text').value = 'hello from Firefox';
    document.querySelector('#form').requestSubmit();
  });
  await until('the echo', () => browser.evaluate(() => [...document.querySelectorAll('.msg:not(.me)')].some(m => m.textContent === 'hello from Firefox')));
  const charts = await until('figures in all charts', async () => {
    const values = await browser.evaluate(() => [...document.querySelectorAll('.chart b')].map(b => b.textContent));
    return values.every(Boolean) && values;
  });
  if (flag === '--screenshots' && shots) await browser.screenshot(join(shots, 'firefox.png'));
  check('Ctrl+C ends it', (await program.interrupt()) === 0);
  await until('the page hears of it', () => browser.evaluate(() => document.querySelector('#bannerTitle').textContent === 'The peer hung up'));
  const [call] = JSON.parse(readFileSync(report)).calls;
  check('its pictures arrive', call.received_video_frames > 20, call);
  measured('call_firefox', { page_video_fps_mean: fps, ...call });
  console.log('PASSED', JSON.stringify({ fps, charts, ...call }));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  console.error(program.lines.slice(-12).join('\n'));
  code = 1;
}
program.kill();
await browser?.stop();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
process.exit(code);

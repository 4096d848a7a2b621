// node send_firefox.test.mjs PROGRAM [--screenshots FOLDER]: the page of examples/send in a real Firefox, both directions in short.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleProgram, SKIPPED, check, measured, until } from './example_program.mjs';
import { contentOf, makeFolder, sha256Of } from './send_files.mjs';

if (!existsSync('/usr/bin/firefox-esr') || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: firefox-esr or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { startFirefox } = await import('./browsers/firefox.mjs');
const PHRASE = 'river-amber-otter-cedar';
const [path, flag, shots] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'parley-send-test-'));
const file = name => join(folder, name);
const started = [];
const waiting = (...args) => {
  started.push(new ExampleProgram(path, ['--host', '127.0.0.1', '--port', '0', '--phrase', PHRASE, ...args]));
  return started.at(-1);
};
let browser;
let code = 0;
try {
  makeFolder(file('in'), 16 * 1024 * 1024);
  const sender = waiting(file('in'), '--report', file('down.json'));
  const options = { tone: '440', mdns: false, pref: [], arg: [] };
  browser = await startFirefox({ options, folder, url: `${await sender.url()}#${PHRASE}`, width: 1280, height: 800, onEvent: () => {} });
  await until('the list', () => browser.evaluate(() => document.body.dataset.view === 'work'), 25);
  await browser.evaluate(() => document.querySelector('#start').click());
  await until('everything is there', () => browser.evaluate(() => document.querySelector('#statusText').textContent === 'Received'), 60);
  check('the sender is content', (await sender.end()) === 0, sender.lines);
  const shown = await browser.evaluate(() => [...document.querySelectorAll('#files li')].find(li => li.textContent.includes('large.bin')).dataset.sha256);
  check('the checksum on the page', shown === (await sha256Of(file('in/large.bin'))), shown);
  if (flag === '--screenshots' && shots) await browser.screenshot(join(shots, 'firefox.png'));

  const receiver = waiting('--receive', '--dir', file('up'), '--report', file('up.json'));
  const url = `${await receiver.url()}#${PHRASE}`;
  await browser.evaluate(new Function(`location.href = ${JSON.stringify(url)}`)).catch(() => {});
  await until('it asks for files', () => browser.evaluate(() => document.body?.dataset.view === 'pick').catch(() => false), 25);
  await browser.evaluate(() => {
    const bytes = new Uint8Array(16 * 1024 * 1024 + 7).map((_, i) => i * 31 >> 3);
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], 'made in Firefox.bin'));
    const input = document.querySelector('#pickFiles');
    input.files = chosen.files;
    input.dispatchEvent(new Event('change'));
  });
  check('the receiver is content', (await receiver.end(60)) === 0, receiver.lines);
  await until('and the page', () => browser.evaluate(() => document.querySelector('#statusText').textContent === 'Sent'));
  const told = await browser.evaluate(() => document.querySelector('#files li').dataset.sha256);
  check('the same file', (await contentOf(file('up')))['made in Firefox.bin'] === told, told);
  const figures = {};
  for (const name of ['down', 'up']) figures[`${name}load_mib_per_s`] = JSON.parse(readFileSync(file(`${name}.json`))).mib_per_s;
  measured('send_firefox', figures);
  console.log('PASSED', JSON.stringify(figures));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  for (const one of started) console.error(one.lines.slice(-8).join('\n'));
  code = 1;
}
for (const one of started) one.kill();
await browser?.stop();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
process.exit(code);

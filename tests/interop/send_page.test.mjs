// node send_page.test.mjs PROGRAM [--screenshots FOLDER]: the page of examples/send in Chromium: downloads a folder, goes on
// after a reload, uploads, goes on when the receiver was killed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { check, ExampleProgram, measured, SKIPPED, until } from './example_program.mjs';
import { contentOf, makeFolder, sha256Of } from './send_files.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { screenshots: { type: 'string' }, 'all-interfaces': { type: 'boolean' } },
});
const CHROMIUM = '/usr/bin/chromium';
if (!existsSync(CHROMIUM) || !existsSync(new URL('node_modules/.stamp', import.meta.url))) {
  console.log('SKIP: chromium or the npm packages (tests/interop/install) missing');
  process.exit(SKIPPED);
}
const { chromium } = await import('playwright-core');

const LARGE = 24 * 1024 * 1024;
const PHRASE = 'river-amber-otter-cedar';
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const folder = mkdtempSync(join(tmpdir(), 'parley-send-test-'));
const file = name => join(folder, name);
const reportOf = name => JSON.parse(readFileSync(file(name)));
const started = [];
const figures = {};
let browser;
if (options.screenshots) mkdirSync(options.screenshots, { recursive: true });
const shoot = (page, name) => options.screenshots && page.screenshot({ path: join(options.screenshots, `${name}.png`) });

function waiting(...args) {
  const program = new ExampleProgram(positionals[0], ['--host', '127.0.0.1', '--port', '0', '--phrase', PHRASE, ...args]);
  started.push(program);
  return program;
}
async function open(url, size) {
  const context = await browser.newContext({ viewport: size, deviceScaleFactor: size.width < 500 ? 2 : 1 });
  const page = await context.newPage();
  page.on('pageerror', error => say(`page: ${error}`));
  page.on('console', message => message.type() === 'error' && say(`page: ${message.text()}`));
  await page.goto(url);
  return page;
}
const text = (page, selector) => page.locator(selector).first().textContent();
async function saved(page, click) {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  const path = file(`saved-${download.suggestedFilename()}`);
  await download.saveAs(path);
  return path;
}
const fits = async (page, width) => check('the page fits', (await page.evaluate(() => document.documentElement.scrollWidth)) <= width);

async function downloads() {
  const sender = waiting(file('in'), '--report', file('down.json'));
  const page = await open(await sender.url(), DESKTOP);
  await page.waitForSelector('#phrase:visible');
  await shoot(page, 'desktop-phrase');
  await page.fill('#phrase', 'River Amber Otter Cellar');
  await page.press('#phrase', 'Enter');
  await until('a wrong phrase is told', async () => (await text(page, '#askProblem')) === 'The phrase is wrong.');
  await shoot(page, 'desktop-wrong');
  await page.fill('#phrase', 'River Amber Otter Cedar');
  await page.press('#phrase', 'Enter');
  await page.waitForSelector('#start:visible');
  check('what there is', /^104 files, 24\.2 MiB$/.test(await text(page, '#subtitle')), await text(page, '#subtitle'));
  await shoot(page, 'desktop-list');
  await page.click('#start');
  await until('progress', async () => /MiB\/s, \d+ s left/.test(await text(page, '#rate')), 20);
  await shoot(page, 'desktop-progress');
  await until('everything is there', async () => (await text(page, '#statusText')) === 'Received', 60);
  check('the sender is content', (await sender.end()) === 0, sender.lines);
  await shoot(page, 'desktop-done');
  const sums = await contentOf(file('in'));
  delete sums['nothing in it'];
  const shown = Object.fromEntries(await page.locator('#files li').evaluateAll(rows => rows.map(li => [li.querySelector('.name').title, li.dataset.sha256])));
  check('checksums on the page', isDeepStrictEqual(Object.fromEntries(Object.entries(sums).map(([k, v]) => [`in/${k}`, v])), shown), shown);
  const large = page.locator('#files li', { hasText: 'large.bin' });
  check('a file that is saved', (await sha256Of(await saved(page, () => large.locator('a').click()))) === sums['large.bin']);
  const zip = await saved(page, () => page.click('#saveAll'));
  mkdirSync(file('unpacked'));
  execFileSync('python3', ['-m', 'zipfile', '-e', zip, file('unpacked')]);  // checks every CRC-32
  check('all as an archive', isDeepStrictEqual(await contentOf(file('unpacked/in')), sums));
  const report = reportOf('down.json');
  check('every file was settled', report.files.every(f => f.state === 'done'), report);
  figures.download_mib_per_s = report.mib_per_s;
  say(`downloaded at ${report.mib_per_s.toFixed(1)} MiB/s`);
  await page.context().close();
}

async function reloaded() {
  const sender = waiting(file('in/large.bin'), '--rate', '6', '--report', file('reload.json'));
  const page = await open(`${await sender.url()}#${PHRASE}`, PHONE);
  await page.click('#start');
  await until('the middle', async () => parseFloat(await text(page, '#percent')) > 30, 30);
  await fits(page, PHONE.width);
  await shoot(page, 'phone-progress');
  page.on('dialog', dialog => dialog.accept());
  await page.reload();
  await page.fill('#phrase', PHRASE);
  await shoot(page, 'phone-phrase');
  await page.press('#phrase', 'Enter');
  const path = await saved(page, () => page.click('#start'));  // one file is saved by itself
  check('the same file', (await sha256Of(path)) === (await sha256Of(file('in/large.bin'))));
  check('the sender is content', (await sender.end()) === 0, sender.lines);
  const [entry] = reportOf('reload.json').files;
  check('it went on where it stopped', entry.resumed_bytes > 4 * 1024 * 1024, entry);
  await shoot(page, 'phone-done');
  say(`after a reload ${entry.resumed_bytes / 1024 / 1024} MiB were there`);
  await page.context().close();
}

async function uploads() {
  const receiver = waiting('--receive', '--dir', file('up'), '--report', file('up.json'));
  const page = await open(`${await receiver.url()}#${PHRASE}`, PHONE);
  await page.waitForSelector('[data-view=pick]:visible');
  await fits(page, PHONE.width);
  await shoot(page, 'phone-pick');
  await page.setInputFiles('#pickFiles', [file('in/large.bin'), file('in/deep/\u00dcber \u4f60 \u{1f600}.txt'), file('in/deep/er/empty')]);
  await until('everything is there', async () => (await text(page, '#statusText')) === 'Sent', 60);
  check('the receiver is content', (await receiver.end()) === 0, receiver.lines);
  await shoot(page, 'phone-sent');
  const [got, sums] = [await contentOf(file('up')), await contentOf(file('in'))];
  check('the same files', got['large.bin'] === sums['large.bin'] && Object.keys(got).length === 3, got);
  figures.upload_mib_per_s = reportOf('up.json').mib_per_s;
  say(`uploaded at ${figures.upload_mib_per_s.toFixed(1)} MiB/s`);
  await page.context().close();
}

async function receiverKilled() {
  writeFileSync(file('long.bin'), Buffer.alloc(3 * LARGE, 'parley'));
  const receive = (...more) => waiting('--receive', '--dir', file('up'), '--report', file('killed.json'), ...more);
  const first = receive();
  const url = await first.url();
  const page = await open(`${url}#${PHRASE}`, DESKTOP);
  await page.waitForSelector('[data-view=pick]:visible');
  await shoot(page, 'desktop-pick');
  await page.setInputFiles('#pickFiles', [file('long.bin')]);
  await until('some of it', async () => parseFloat(await text(page, '#percent')) > 10, 30);
  first.kill();
  await first.ended;
  const second = receive('--port', new URL(url).port);
  await until('the page has noticed', async () => (await text(page, '#statusText')) === 'Reconnecting', 20);
  await shoot(page, 'desktop-reconnecting');
  check('the receiver is content', (await second.end(60)) === 0, second.lines);
  await until('the page, too', async () => (await text(page, '#statusText')) === 'Sent');
  check('the same file', (await sha256Of(file('up/long.bin'))) === (await sha256Of(file('long.bin'))));
  const [entry] = reportOf('killed.json').files;
  check('it went on where it stopped', entry.resumed_bytes > 0, entry);
  say(`receiver killed: ${entry.resumed_bytes / 1024 / 1024} MiB were there`);
}

let code = 0;
try {
  makeFolder(file('in'), LARGE);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ['--allow-loopback-in-peer-connection', '--disable-background-networking', '--disable-component-update', '--no-pings'],
  });
  await downloads();
  await reloaded();
  await uploads();
  await receiverKilled();
  measured('send_page', figures);
  say('PASSED', JSON.stringify(figures));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  for (const one of started.slice(-2)) console.error(one.lines.slice(-10).join('\n'), '\n');
  const pages = browser?.contexts().flatMap(context => context.pages()) ?? [];
  for (const page of pages) await shoot(page, 'failed');
  code = 1;
}
for (const one of started) one.kill();
await browser?.close();
rmSync(folder, { recursive: true, force: true });
process.exit(code);

#!/usr/bin/env node
// A real browser as a test peer, driven by lines of JSON on standard input and output: see README.md.
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const list = { type: 'string', multiple: true, default: [] };
const { values: options } = parseArgs({
  options: {
    browser: { type: 'string', default: 'chromium' }, // chromium or firefox
    exe: { type: 'string' }, // the program, by default Debian's
    clip: { type: 'string' }, // a film for addTrack with source "clip"
    tone: { type: 'string', default: '440' }, // Firefox: frequency of its microphone
    mdns: { type: 'boolean', default: false }, // leave .local names in candidates
    'all-interfaces': { type: 'boolean', default: false }, // report candidates of other interfaces than loopback too
    'screen-size': { type: 'string', default: '1280x720' },
    'field-trials': { type: 'string', default: '' }, // Chromium: "Name/Group/..."
    enable: list, // Chromium: features
    disable: list,
    arg: list, // any other switch, as --arg=--switch
    pref: list, // Firefox: name=json
    ca: { type: 'string' }, // PEM of a certificate authority to trust
    log: { type: 'string' }, // file for the browser's own log
  },
});
const say = message => process.stdout.write(`${JSON.stringify(message)}\n`);
const folder = mkdtempSync(join(tmpdir(), 'parley-browser-'));
const [width, height] = options['screen-size'].split('x').map(Number);

// Pages of 127.0.0.1 are a secure context to browsers: getUserMedia works there.
const server = createServer((request, response) => {
  const name = request.url.slice(1);
  if (name === 'clip' && options.clip) {
    response.writeHead(200, { 'content-type': options.clip.endsWith('.mp4') ? 'video/mp4' : 'video/webm' });
    createReadStream(options.clip).pipe(response);
  } else if (/^[a-z]+\.js$/.test(name)) {
    response.writeHead(200, { 'content-type': 'text/javascript', 'cache-control': 'no-store' });
    response.end(readFileSync(new URL(`page/${name}`, import.meta.url)));
  } else {
    response.writeHead(name ? 404 : 200, { 'content-type': 'text/html' });
    response.end(name ? '' : '<!doctype html><title>peer</title><body><script type="module" src="/peer.js"></script>');
  }
});
await new Promise(done => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}/`;

/// On plain loopback nobody outside shall be named, let alone asked.
function isOutside({ event, candidate }) {
  if (options['all-interfaces'] || event !== 'candidate' || !candidate?.candidate) return false;
  const [, , , , address, , , type] = candidate.candidate.split(' ');
  return type !== 'relay' && !/^(127\.|::1$)/.test(address) && !address.endsWith('.local');
}
const onEvent = event => {
  if (!isOutside(event)) say(event);
};

let browser;
let stopping = false;
async function stop(code) {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.exit(code), 8000).unref();
  await browser?.stop().catch(() => {});
  server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(1));

const setup = { options, folder, url, width, height, onEvent };
try {
  if (options.browser === 'firefox') browser = await (await import('./browsers/firefox.mjs')).startFirefox(setup);
  else browser = await (await import('./browsers/chromium.mjs')).startChromium(setup);
} catch (error) {
  console.error(String(error));
  await stop(1);
}
say({ event: 'ready', peer: options.browser, version: browser.version });

async function handle(line) {
  let request;
  try {
    request = JSON.parse(line);
  } catch (error) {
    say({ ok: false, error: `not JSON: ${error.message}` });
    return;
  }
  const { id, cmd, ...args } = request;
  try {
    if (cmd === 'quit') {
      say({ id, ok: true, result: null });
      await stop(0);
    }
    const result = cmd === 'screenshot' ? ((await browser.screenshot(args.path)), null) : await browser.call(cmd, args);
    say({ id, ok: true, result });
  } catch (error) {
    const first = String(error.message || error).split('\n')[0];
    say({ id, ok: false, error: first.replace(/^page\.evaluate: /, '').replace(/^Error: /, '') });
  }
}
// Commands start in the order in which they arrive and run side by side.
const running = new Set();
createInterface({ input: process.stdin })
  .on('line', line => {
    const task = handle(line).finally(() => running.delete(task));
    running.add(task);
  })
  .on('close', () => Promise.allSettled(running).then(() => stop(0)));

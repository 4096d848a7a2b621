// node call_native.test.mjs PROGRAM: two instances of examples/call in a call with each other.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExampleProgram, check, isMatroska, measured, sleep } from './example_program.mjs';

const [path] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'parley-call-test-'));
const file = name => join(folder, name);
const callee = new ExampleProgram(path, ['--port', '0', '--report', file('callee.json'), '--record', file('callee.webm')]);
let caller;
let code = 0;
try {
  const url = await callee.url();
  caller = new ExampleProgram(path, ['--connect', url, '--test-pattern', '--report', file('caller.json')]);
  await caller.line(/connected after/);
  await callee.line(/connected after/);
  caller.type('hello from the caller');
  await callee.line(/chat: hello from the caller/);
  await caller.line(/chat: hello from the caller/);  // the callee repeats it
  callee.type('hello from the callee');
  await caller.line(/chat: hello from the callee/);
  await sleep(4000);
  check('the callee ends', (await callee.interrupt()) === 0);
  check('and so does the caller', (await Promise.race([caller.ended, sleep(5000)])) === 0);
  const figures = {};
  for (const name of ['caller', 'callee']) {
    const [call] = JSON.parse(readFileSync(file(`${name}.json`))).calls;
    check(`${name}: pictures both ways`, call.received_video_frames > 30 && call.sent_video_frames > 30, call);
    check(`${name}: nothing lost on this machine`, call.received_lost_ratio < 0.01, call);
    figures[name] = call;
  }
  check('the recording is one', isMatroska(file('callee.webm')));
  const refused = new ExampleProgram(path, ['--connect', 'http://127.0.0.1:9/', '--test-pattern']);
  check('nobody there: an error', (await refused.ended) === 1, refused.lines);
  measured('call_native', figures);
  console.log('PASSED', JSON.stringify(figures));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  for (const one of [callee, caller]) console.error(one?.lines.slice(-8).join('\n'));
  code = 1;
}
for (const one of [callee, caller]) one?.kill();
rmSync(folder, { recursive: true, force: true });
process.exit(code);

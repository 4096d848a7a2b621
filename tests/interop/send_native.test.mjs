// node send_native.test.mjs PROGRAM: examples/send from one process to another: a folder, both ways round, with either side
// killed in the middle and started again; a wrong phrase; files that are there already.
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, ExampleProgram, measured } from './example_program.mjs';
import { contentOf, makeFolder } from './send_files.mjs';

const LARGE = 40 * 1024 * 1024;
const PHRASE = 'river-amber-otter-cedar';
const [path] = process.argv.slice(2);
const began = Date.now();
const say = (...words) => console.log(`[${((Date.now() - began) / 1000).toFixed(1)} s]`, ...words);
const folder = mkdtempSync(join(tmpdir(), 'parley-send-test-'));
const file = name => join(folder, name);
const reportOf = name => JSON.parse(readFileSync(file(name)));
const started = [];
function send(...args) {
  const program = new ExampleProgram(path, args);
  started.push(program);
  return program;
}
const waiting = (...args) => send('--host', '127.0.0.1', '--port', '0', ...args);
const figures = {};

async function same(what, a, b) {
  const [x, y] = [await contentOf(a), await contentOf(b)];
  check(`${what}: everything arrived as it was`, isDeepStrictEqual(x, y), Object.keys(x).length, Object.keys(y).length);
  check(`${what}: no unfinished files`, !Object.keys(y).some(name => name.endsWith('.parley-part')));
}

async function wholeFolder() {
  const sender = waiting(file('in'), '--report', file('sender.json'));
  const url = await sender.url();
  const phrase = /Code phrase: (\S+)/.exec(await sender.line(/Code phrase/))[1];
  check('four words', phrase.split('-').length === 4, phrase);
  const receiver = send('--receive', ...phrase.split('-'), '--from', url, '--dir', file('out'), '--report', file('receiver.json'));
  check('the receiver is content', (await receiver.end()) === 0, receiver.lines);
  check('the sender is content', (await sender.end()) === 0, sender.lines);
  await same('a folder', file('in'), file('out/in'));
  check('what can be run can be run', (statSync(file('out/in/run me')).mode & 0o100) !== 0);
  const sums = await contentOf(file('in'));
  for (const name of ['sender.json', 'receiver.json']) {
    const report = reportOf(name);
    const told = Object.fromEntries(report.files.map(f => [f.path.replace(/^in\//, ''), f.sha256]));
    delete sums['nothing in it'];
    check(`${name}: checksums of all files`, isDeepStrictEqual(told, sums));
    check(`${name}: bytes`, report.moved_bytes === report.bytes && report.resumed_bytes === 0 && report.connections === 1, report);
  }
  figures.folder_mib_per_s = reportOf('receiver.json').mib_per_s;
  say('a folder', figures.folder_mib_per_s.toFixed(1), 'MiB/s');
}

/// Whether the receiver is content with what it has; then with another file of that name.
async function again() {
  const sender = waiting(file('in'), '--phrase', PHRASE, '--keep');
  const from = ['--from', await sender.url(), '--dir', file('out'), '--report', file('again.json')];
  check('nothing to do', (await send('--receive', PHRASE, ...from).end()) === 0);
  const report = reportOf('again.json');
  check('nothing was sent again', report.moved_bytes === 0 && report.resumed_bytes === report.bytes, report);
  writeFileSync(file('out/in/deep/small 99'), Buffer.alloc(99 * 37));
  check('other files stay', (await send('--receive', PHRASE, ...from).end()) === 1);
  check('and are told of', reportOf('again.json').files.find(f => f.path === 'in/deep/small 99').state === 'failed');
  check('unless told otherwise', (await send('--receive', PHRASE, ...from, '--force').end()) === 0);
  await same('replaced', file('in'), file('out/in'));
  check('the phrase matters', (await send('--receive', 'river-amber-otter-cellar', ...from).end()) === 4);
  check('and its name', (await send('--receive', 'lake-amber-otter-cedar', ...from, '--patience', '1').end()) === 3);
  await sender.line(/wrong phrase/);
  check('Ctrl+C ends it', (await sender.interrupt()) === 0);
  say('files that are there, wrong phrases');
}

/// At 16 MiB/s so that there is a middle to be killed in.
async function killed(which) {
  const out = file(`out-${which}`);
  const report = file(`${which}.json`);
  const sender = waiting(file('in'), '--phrase', PHRASE, '--rate', '16', '--report', file('killed-sender.json'));
  const url = await sender.url();
  const port = new URL(url).port;
  const receive = () => send('--receive', PHRASE, '--from', url, '--dir', out, '--report', report);
  let receiver = receive();
  const second = { receiver: () => (receiver = receive()), sender: () => waiting(file('in'), '--phrase', PHRASE, '--port', port, '--report', file('killed-sender.json')) };
  const victim = which === 'receiver' ? receiver : sender;
  await (which === 'receiver' ? receiver : sender).line(/ 1\d\.\d MiB of /);
  victim.kill();
  await victim.ended;
  const killedAt = Date.now();
  const successor = second[which]();
  check('the receiver has everything', (await receiver.end(60)) === 0, receiver.lines);
  check('the sender knows', (await (which === 'sender' ? successor : sender).end(60)) === 0);
  await same(`${which} killed`, file('in'), join(out, 'in'));
  const large = reportOf(`${which}.json`).files.find(f => f.path === 'in/large.bin');
  check('it went on where it stopped', large.resumed_bytes >= 8 * 1024 * 1024 && large.resumed_bytes < LARGE, large);
  figures[`${which}_killed_resumed_mib`] = large.resumed_bytes / 1024 / 1024;
  figures[`${which}_killed_back_s`] = (Date.now() - killedAt) / 1000;
  say(`${which} killed: ${large.resumed_bytes / 1024 / 1024} MiB resumed, done ${figures[`${which}_killed_back_s`]} s later`);
}

/// The receiver waits; and an unfinished file whose content is wrong is not believed.
async function otherWay() {
  const receiver = waiting('--receive', '--phrase', PHRASE, '--dir', file('out-pushed'));
  const url = await receiver.url();
  const part = file('out-pushed/large.bin.parley-part');
  cpSync(file('in/large.bin'), part);
  writeFileSync(part, Buffer.alloc(1), { flag: 'r+' });  // the first piece differs
  utimesSync(part, 1, 1);
  const sender = send(file('in/large.bin'), file('in/deep'), '--to', url, '--phrase', PHRASE, '--report', file('pushed.json'));
  check('the sender is content', (await sender.end()) === 0, sender.lines);
  check('the receiver is content', (await receiver.end()) === 0, receiver.lines);
  await same('pushed', file('in/deep'), file('out-pushed/deep'));
  const report = reportOf('pushed.json');
  check('a wrong piece is not kept', report.resumed_bytes === 0 && report.moved_bytes === report.bytes, report.resumed_bytes);
  say('pushed to a receiver that waits');
}

let code = 0;
try {
  makeFolder(file('in'), LARGE);
  await wholeFolder();
  await again();
  await killed('receiver');
  await killed('sender');
  await otherWay();
  measured('send_native', figures);
  say('PASSED', JSON.stringify(figures));
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  for (const one of started.slice(-3)) console.error(one.lines.slice(-8).join('\n'), '\n');
  code = 1;
}
for (const one of started) one.kill();
rmSync(folder, { recursive: true, force: true });
process.exit(code);

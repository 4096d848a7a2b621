// An example as a child process, for the tests of it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SKIPPED = 77;
export const sleep = ms => new Promise(done => setTimeout(done, ms));

/// Calls `look` until it gives something true; an error with `what` after `seconds`.
export async function until(what, look, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

export function check(what, holds, ...figures) {
  if (!holds) throw new Error(`${what} does not hold: ${figures.map(f => JSON.stringify(f)).join(' ')}`);
}

export class ExampleProgram {
  constructor(program, args) {
    this.lines = [];
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, CI: '' } });
    this.ended = new Promise(done => this.child.on('close', (code, signal) => done(code ?? signal)));
    let rest = '';
    this.child.stdout.setEncoding('utf8').on('data', text => {
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines) {
        this.lines.push(line);
        if (process.env.VERBOSE) console.log(`  ${line}`);
      }
    });
  }

  /// The first line that matches.
  line(pattern, seconds) {
    return until(`a line like ${pattern}`, () => this.lines.find(line => pattern.test(line)), seconds);
  }
  /// The first URL that it prints.
  async url() {
    return /http:\S+/.exec(await this.line(/http:/))[0];
  }
  type(line) {
    this.child.stdin.write(`${line}\n`);
  }
  /// Ctrl+C; gives the exit code.
  async interrupt() {
    this.child.kill('SIGINT');
    return Promise.race([this.ended, sleep(8000).then(() => 'hangs')]);
  }
  kill() {
    this.child.kill('SIGKILL');
  }
  /// The exit code, once it has ended by itself.
  end(seconds = 30) {
    return Promise.race([this.ended, sleep(seconds * 1000).then(() => 'hangs')]);
  }
}

/// Whether a recording is a Matroska (or WebM) file at all.
export function isMatroska(path) {
  return existsSync(path) && readFileSync(path).subarray(0, 4).toString('hex') === '1a45dfa3';
}

/// Figures for the report of tests/run.
export function measured(name, figures) {
  const folder = process.env.PARLEY_MEASURES_DIR;
  if (folder) writeFileSync(join(folder, `interop_${name}.json`), JSON.stringify(figures));
}

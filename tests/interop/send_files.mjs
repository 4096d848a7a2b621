// Files for the tests of the example `send`, and what is in a folder.
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, createReadStream, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/// A folder with a large file, small ones, empty ones, an empty folder and names that are not plain.
export function makeFolder(path, largeBytes) {
  mkdirSync(join(path, 'deep', 'er'), { recursive: true });
  mkdirSync(join(path, 'nothing in it'));
  writeFileSync(join(path, 'large.bin'), randomBytes(largeBytes));
  writeFileSync(join(path, 'deep', '\u00dcber \u4f60 \u{1f600}.txt'), 'with an unusual name');
  writeFileSync(join(path, 'deep', 'er', 'empty'), '');
  for (let i = 0; i < 100; i++) writeFileSync(join(path, 'deep', `small ${i}`), randomBytes(i * 37));
  writeFileSync(join(path, 'run me'), '#!/bin/sh\n');
  chmodSync(join(path, 'run me'), 0o755);
}

export function sha256Of(path) {
  return new Promise((done, fail) => {
    const hash = createHash('sha256');
    createReadStream(path).on('data', part => hash.update(part)).on('end', () => done(hash.digest('hex'))).on('error', fail);
  });
}

/// Path -> SHA-256 of every file, "folder" for folders without anything in them.
export async function contentOf(path, prefix = '') {
  const out = {};
  const names = readdirSync(path);
  if (!names.length) out[prefix] = 'folder';
  for (const name of names) {
    const inside = join(path, name);
    if (statSync(inside).isDirectory()) Object.assign(out, await contentOf(inside, join(prefix, name)));
    else out[join(prefix, name)] = await sha256Of(inside);
  }
  return out;
}

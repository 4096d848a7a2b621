// The page: asks for the phrase, then downloads what the other side sends or uploads what it waits for.
import { Final, Link, phraseOf } from './link.js';
import { Sink } from './sink.js';
import { Source } from './source.js';
import { Store } from './store.js';
import { zipOf } from './zip.js';

const $ = id => document.getElementById(id);
const PATIENCE_MS = 120000;
const SHOWN_FILES = 300;
const RATE_WINDOW_MS = 5000;
const sleep = ms => new Promise(done => setTimeout(done, ms));
const ICONS = {
  waiting: 'M6 3h8l4 4v14H6zM14 3v4h4',
  moving: 'M6 3h8l4 4v14H6zM14 3v4h4M12 10v7M9 14l3 3 3-3',
  done: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.500l2.800 2.800L16 9.500',
  failed: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6',
};

let phrase = null;
let transfer = null;  // Source or Sink
let samples = [];
let rows = [];

function bytesText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(2)} GiB`;
}
function timeText(seconds) {
  const s = Math.ceil(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')} min`;
  return s < 360000 ? `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, '0')} h` : 'days';
}
const countText = n => `${n} ${n === 1 ? 'file' : 'files'}`;

function view(name) {
  document.body.dataset.view = name;
}
function status(state, text) {
  $('status').dataset.state = state;
  $('statusText').textContent = text;
}
function wait(title, text, over = false) {
  const card = document.querySelector('main [data-view=wait]');
  card.dataset.state = over ? 'off' : 'wait';
  $('waitTitle').textContent = title;
  $('waitText').textContent = text;
  $('again').hidden = !over;
  view('wait');
}

// --- what is shown of a transfer

function realFiles() {
  return transfer.files.filter(f => !f.folder);
}

function makeRow(file) {
  const li = document.createElement('li');
  li.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg><div class="name"></div><div class="state"></div><div class="act"></div>';
  const slash = file.path.lastIndexOf('/') + 1;
  const folder = document.createElement('small');
  folder.textContent = file.path.slice(0, slash);
  li.querySelector('.name').append(folder, file.path.slice(slash));
  li.querySelector('.name').title = file.path;
  return { file, li, shown: '' };
}

function showRow(row) {
  const { file, li } = row;
  const ratio = file.size ? file.at / file.size : 1;
  const texts = {
    waiting: () => bytesText(file.size),
    moving: () => `${Math.floor(ratio * 100)} % of ${bytesText(file.size)}${file.resumed ? `, ${bytesText(file.resumed)} were there` : ''}`,
    done: () => `${bytesText(file.size)}, SHA-256 ${file.sha256?.slice(0, 16)}...`,
    failed: () => `Failed: ${file.error}`,
  };
  const text = texts[file.state]();
  if (text + file.state === row.shown) return;
  row.shown = text + file.state;
  // What is under way is in sight, unless somebody reads elsewhere.
  if (file.state === 'moving' && li.dataset.state !== 'moving' && !$('files').matches(':hover')) li.scrollIntoView({ block: 'nearest' });
  li.dataset.state = file.state;
  if (file.sha256 && file.state === 'done') li.dataset.sha256 = li.querySelector('.state').title = file.sha256;
  li.querySelector('.state').textContent = text;
  li.querySelector('path').setAttribute('d', ICONS[file.state]);
  li.style.setProperty('--at', `${ratio * 100}%`);
  if (file.state === 'done' && transfer instanceof Sink && !li.querySelector('a')) offerToSave(file, li);
}

async function offerToSave(file, li) {
  const link = Object.assign(document.createElement('a'), { textContent: 'Save', download: file.path.split('/').pop(), href: '#' });
  li.querySelector('.act').append(link);
  // The content is fetched when it is asked for: thousands of open files would be too many.
  link.onclick = async event => {
    if (link.ready) return;
    event.preventDefault();
    link.href = URL.createObjectURL(await transfer.store.blob(file));
    link.ready = true;
    link.click();
  };
}

function showList() {
  const files = realFiles();
  rows = files.slice(0, SHOWN_FILES).map(makeRow);
  $('files').replaceChildren(...rows.map(row => row.li));
  $('more').hidden = files.length <= SHOWN_FILES;
  $('more').textContent = `and ${files.length - SHOWN_FILES} more`;
  const top = new Set(files.map(f => f.path.split('/')[0]));
  $('title').textContent = top.size === 1 ? [...top][0] : countText(files.length);
  $('subtitle').textContent = `${countText(files.length)}, ${bytesText(transfer.bytes)}`;
  view('work');
}

function showProgress() {
  if (!transfer?.files.length) return;
  for (const row of rows) showRow(row);
  const now = performance.now();
  samples.push([now, transfer.total - transfer.skipped]);
  while (samples.length > 2 && now - samples[0][0] > RATE_WINDOW_MS) samples.shift();
  const [[from, before]] = samples;
  const perSecond = now > from ? Math.max(0, (samples.at(-1)[1] - before) * 1000 / (now - from)) : 0;
  const percent = transfer.bytes ? Math.floor(transfer.total / transfer.bytes * 100) : 100;
  $('percent').textContent = `${percent} %`;
  $('amount').textContent = `${bytesText(transfer.total)} of ${bytesText(transfer.bytes)}`;
  const left = transfer.bytes - transfer.total;
  if ($('total').dataset.state === 'on') {
    $('rate').textContent = perSecond > 0 && left > 0 ? `${bytesText(Math.round(perSecond))}/s, ${timeText(left / perSecond)} left` : '';
  }
  const bar = document.querySelector('#total .bar');
  bar.setAttribute('aria-valuenow', percent);
  bar.firstChild.style.width = `${percent}%`;
}

function begun() {
  $('start').hidden = true;
  $('total').dataset.state = 'on';
  transfer.beganAt ??= performance.now();
  samples = [];
}

function finished() {
  const failed = realFiles().filter(f => f.state !== 'done').length;
  const sending = transfer instanceof Source;
  const seconds = (performance.now() - transfer.beganAt) / 1000;
  showProgress();
  $('total').dataset.state = failed ? 'failed' : 'done';
  status(failed ? 'off' : 'on', failed ? 'Not everything arrived' : sending ? 'Sent' : 'Received');
  $('rate').textContent = failed ? `${countText(failed)} failed` : `in ${timeText(seconds)}, all checksums agree`;
  if (sending || failed === realFiles().length) return;
  const files = realFiles();
  // One file is saved at once, as a download is; of several one may want some only.
  if (files.length === 1) document.querySelector('#files a')?.click();
  else $('saveAll').hidden = false;
}

$('saveAll').onclick = async () => {
  const files = realFiles().filter(f => f.state === 'done');
  const parts = [];
  for (const file of files) parts.push({ path: file.path, blob: await transfer.store.blob(file), crc: file.crc, modified: file.modified });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(zipOf(parts));
  link.download = `${$('title').textContent.replace(/[^\w.-]+/g, ' ').trim() || 'files'}.zip`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

// --- the connection

const on = {
  listed() {
    showList();
    if (transfer.wanted) begun();
    showProgress();
  },
  settled() {},
  progress() {},
};
setInterval(() => transfer && document.body.dataset.view === 'work' && $('total').dataset.state === 'on' && showProgress(), 100);

let picked = () => {};
/// The files that somebody chooses to send; the link waits meanwhile.
function chosen() {
  view('pick');
  return new Promise(done => { picked = done; });
}

/// Over as many links as it takes.
async function run() {
  wait('Connecting', 'Proving that both sides know the phrase');
  status('wait', 'Connecting');
  let giveUp = 0;
  for (;;) {
    try {
      const link = await Link.open(phrase);
      status('on', 'Connected');
      if (link.hostSends) transfer ??= new Sink(new Store(), on);
      else transfer ??= new Source(await chosen(), on);
      giveUp = performance.now() + PATIENCE_MS;
      if (transfer instanceof Source) {
        showList();
        begun();
      }
      const done = await transfer.run(link);
      link.close();
      if (done) return finished();
    } catch (error) {
      if (error instanceof Final) throw error;
      if (performance.now() > giveUp) throw error;
    }
    status('wait', 'Reconnecting');
    if (transfer?.beganAt) {
      $('total').dataset.state = 'pause';
      $('rate').textContent = 'connection lost, trying again';
    }
    await sleep(1000);
    if (transfer?.beganAt) $('total').dataset.state = 'on';
  }
}

async function start() {
  try {
    await run();
  } catch (error) {
    status('off', 'Not connected');
    if (!(error instanceof Final)) return wait('No connection', error.message, true);
    view('ask');
    $('askProblem').textContent = error.message;
    $('phrase').select();
  }
}

$('ask').onsubmit = event => {
  event.preventDefault();
  phrase = phraseOf($('phrase').value);
  $('askProblem').textContent = phrase ? '' : 'A phrase has four words.';
  if (phrase) start();
};
$('again').onclick = start;
$('start').onclick = () => {
  begun();
  transfer.approve();
};

// --- files to send

/// Everything in a dropped file or folder.
async function* filesIn(entry, prefix = '') {
  if (entry.isFile) {
    yield { path: prefix + entry.name, file: await new Promise((done, fail) => entry.file(done, fail)) };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return;
    for (const one of some) yield* filesIn(one, `${prefix}${entry.name}/`);
  }
}

for (const id of ['pickFiles', 'pickFolder']) {
  $(id).onchange = () => {
    const files = [...$(id).files].map(file => ({ path: file.webkitRelativePath || file.name, file }));
    if (files.length) picked(files);
  };
}
const dropping = () => document.body.dataset.view === 'pick';
addEventListener('dragover', event => {
  event.preventDefault();
  $('drop').classList.toggle('over', dropping());
});
addEventListener('dragleave', event => event.relatedTarget || $('drop').classList.remove('over'));
addEventListener('drop', async event => {
  event.preventDefault();
  $('drop').classList.remove('over');
  if (!dropping()) return;
  const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  let files = [...event.dataTransfer.files].map(file => ({ path: file.name, file }));
  if (entries.length) {
    files = [];
    for (const entry of entries) for await (const one of filesIn(entry)) files.push(one);
  }
  if (files.length) picked(files);
});

addEventListener('beforeunload', event => {
  if (transfer?.beganAt && $('total').dataset.state === 'on') event.preventDefault();
});

if (location.hash.length > 1) {
  $('phrase').value = decodeURIComponent(location.hash.slice(1));
  // What stands in the address bar stands in the history as well.
  history.replaceState(null, '', location.pathname);
  $('ask').requestSubmit();
} else {
  status('wait', 'Not connected');
  view('ask');
  $('phrase').focus();
}

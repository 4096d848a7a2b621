// The page: puts a call, its media, chat, files and figures on the screen.
import { Call } from './call.js';
import { Dashboard } from './charts.js';
import { bytesText, sendFile } from './files.js';
import { drawnPicture, openDevices } from './media.js';

const $ = id => document.getElementById(id);
const dashboard = new Dashboard();
let call = null, timer = 0, connectedAt = 0;
let devices = null, drawn = null;  // what is sent: the devices' stream, or a picture drawn by the page
const off = { audio: false, video: false };

function status(state, text) {
  document.body.dataset.call = $('status').dataset.state = state;
  $('statusText').textContent = text;
}
function banner(state, title = '', text = '') {
  $('banner').hidden = !title;
  $('banner').dataset.state = state;
  $('bannerTitle').textContent = title;
  $('bannerText').textContent = text;
  $('again').hidden = state !== 'off';
}
/// What is new in the log shall be seen, unless one has scrolled up to read.
function inLog(change) {
  const log = $('log');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  change(log);
  if (atEnd) log.scrollTop = log.scrollHeight;
}
function say(text, kind = '') {
  const div = document.createElement('div');
  div.className = `msg ${kind}`;
  div.textContent = text;
  inLog(log => log.append(div));
}

// --- the call

function localTracks() {
  const audio = devices?.getAudioTracks()[0] || null, video = devices?.getVideoTracks()[0] || null;
  if (!video && !drawn) drawn = drawnPicture();
  if (video && drawn) {
    drawn.stop();
    drawn = null;
  }
  const tracks = { audio, video: video || drawn.track };
  for (const kind of ['audio', 'video']) if (tracks[kind]) tracks[kind].enabled = !off[kind];
  $('local').srcObject = new MediaStream([tracks.video]);
  $('self').classList.toggle('mirror', Boolean(video));
  return tracks;
}

const on = {
  state(state) {
    if (state === 'reconnecting') return status('wait', 'Reconnecting');
    banner('on');
    status('on', 'Connected');
    connectedAt ||= Date.now();
  },
  track(stream) {
    if ($('remote').srcObject !== stream) $('remote').srcObject = stream;
    play();
  },
  message: text => say(text),
  end(title, text) {
    clearInterval(timer);
    call = null;
    connectedAt = 0;
    $('remote').srcObject = null;
    $('remoteTag').textContent = $('clock').textContent = '';
    status('off', 'Not in a call');
    banner('off', title, text);
  },
};

async function start() {
  banner('wait', 'Calling', 'Looking for a path to the peer');
  status('wait', 'Connecting');
  dashboard.clear();
  // The call does not wait for an answer to the browser's question about the camera: that one is added when it comes.
  const asked = devices ? null : openDevices();
  if (asked) devices = await Promise.race([asked, new Promise(done => setTimeout(done, 1500, null))]);
  const mine = (call = new Call(on));
  timer = setInterval(tick, 1000);
  try {
    await mine.start(localTracks());
  } catch (error) {
    return mine.end('The call failed', error.message);
  }
  say('You are in a call with the native peer. It repeats what you write and takes files.', 'note');
  if (!asked || devices) return;
  devices = await asked;
  if (!devices) return say('No camera or microphone: a drawn picture is sent instead.', 'note');
  const tracks = localTracks();
  for (const kind of ['audio', 'video']) mine.setTrack(kind, tracks[kind]);
}

async function tick() {
  if (!call?.pc) return;
  if (connectedAt) {
    const seconds = Math.floor((Date.now() - connectedAt) / 1000);
    $('clock').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }
  const size = await dashboard.update(call.pc).catch(() => '');
  $('remoteTag').textContent = call && size ? 'Native peer' : '';
}

// Browsers play sound only on pages that one has touched, or that use the camera.
function play() {
  const video = $('remote');
  video.play().catch(error => {
    if (error.name !== 'NotAllowedError') return;
    video.muted = true;
    video.play().catch(() => {});
    $('sound').hidden = false;
  });
}
$('sound').onclick = () => {
  $('sound').hidden = true;
  $('remote').muted = false;
  play();
};

// --- buttons

function toggle(id, kind, labels) {
  const button = $(id);
  const show = () => {
    button.setAttribute('aria-pressed', String(off[kind]));
    button.title = labels[Number(off[kind])];
    button.setAttribute('aria-label', button.title);
  };
  button.onclick = () => {
    off[kind] = !off[kind];
    localTracks();
    $('self').classList.toggle('dark', off.video);
    show();
  };
  show();
}
toggle('mic', 'audio', ['Mute microphone', 'Unmute microphone']);
toggle('cam', 'video', ['Turn camera off', 'Turn camera on']);
$('full').onclick = () => {
  const stage = document.querySelector('.stage');
  document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen?.();
};
$('hang').onclick = () => call?.end('You hung up');
$('again').onclick = start;
for (const tab of document.querySelectorAll('.tabs button')) {
  tab.onclick = () => {
    document.querySelector('main').dataset.tab = tab.dataset.tab;
    for (const other of document.querySelectorAll('.tabs button')) other.setAttribute('aria-selected', String(other === tab));
  };
}

// --- chat and files

$('form').onsubmit = event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text || !call?.say(text)) return;
  say(text, 'me');
  $('text').value = '';
};

async function send(file) {
  if (!call?.pc) return;
  const box = document.createElement('div');
  box.className = 'file';
  box.innerHTML = '<div class="row"><span class="name"></span><span class="size"></span></div><div class="bar"><i></i></div><div class="state"></div>';
  const [name, size, bar, state] = ['.name', '.size', '.bar i', '.state'].map(part => box.querySelector(part));
  name.textContent = name.title = file.name;
  size.textContent = bytesText(file.size);
  box.dataset.state = 'sending';
  inLog(log => log.append(box));
  try {
    const sha256 = await sendFile(call.pc, file, (ratio, rate) => {
      bar.style.width = `${100 * ratio}%`;
      inLog(() => { state.textContent = `${Math.floor(100 * ratio)} %, ${bytesText(Math.round(rate))}/s`; });
    });
    inLog(() => { state.textContent = 'Received, SHA-256 matches'; });
    state.title = box.dataset.sha256 = sha256;
    box.dataset.state = 'done';
  } catch (error) {
    inLog(() => { state.textContent = `Not sent: ${error.message}`; });
    box.dataset.state = 'failed';
  }
}
$('pick').onchange = ({ target }) => {
  [...target.files].forEach(send);
  target.value = '';
};
addEventListener('dragover', event => {
  event.preventDefault();
  $('drop').classList.add('over');
});
addEventListener('dragleave', event => {
  if (!event.relatedTarget) $('drop').classList.remove('over');
});
addEventListener('drop', event => {
  event.preventDefault();
  $('drop').classList.remove('over');
  [...event.dataTransfer.files].forEach(send);
});

addEventListener('pagehide', () => call?.end('You left'));
addEventListener('pageshow', event => {
  if (event.persisted) start();
});
start();

// The page of a room: a form to join, tiles of those who are there, a chat.
//   #NAME in the address is the room; ?name=NAME joins at once; ?watch without camera and microphone; ?height=N of the
//   camera's picture; ?limit=KBPS of all that is received
import { RoomConnection } from '/connection.js';

const $ = id => document.querySelector(id);
const wanted = new URLSearchParams(location.search);
const roomName = decodeURIComponent(location.hash.slice(1)).replace(/[^\w-]/g, '') || 'lobby';
const room = new RoomConnection();
const tiles = new Map(); // member's number -> Tile
const names = new Map();
let speaker = null;

class Tile {
  constructor(number, name) {
    this.number = number;
    this.figure = document.createElement('figure');
    this.video = document.createElement('video');
    this.video.autoplay = this.video.playsInline = true;
    this.caption = document.createElement('figcaption');
    this.note = document.createElement('small');
    this.caption.append(name, this.note);
    this.figure.append(this.video, this.caption);
    $('#grid').append(this.figure);
    this.stream = new MediaStream();
    this.video.srcObject = this.stream;
  }
  add(track) {
    for (const old of this.stream.getTracks()) if (old.kind === track.kind) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.video.play().catch(() => {}); // a browser that wants a click first has had one: "Join"
    if (track.kind !== 'video' || this.observer) return;
    // The server sends no larger picture than is shown.
    this.observer = new ResizeObserver(() => room.tell({
      type: 'size', number: this.number, height: Math.max(90, Math.round(this.figure.clientHeight * devicePixelRatio)),
    }));
    this.observer.observe(this.figure);
  }
  remove() {
    this.observer?.disconnect();
    this.figure.remove();
  }
}

function showStatus() {
  const others = [...names.keys()].filter(number => number !== room.number).length;
  $('#status').textContent = others === 0 ? 'Nobody else is here' : `${others + 1} people in ${roomName}`;
}

function showMembers({ members }) {
  names.clear();
  for (const { number, name } of members) names.set(number, name || `Guest ${number}`);
  for (const [number, tile] of tiles) {
    if (number === room.number || names.has(number)) continue;
    tile.remove();
    tiles.delete(number);
  }
  showStatus();
}

function tileOf(number) {
  if (!tiles.has(number)) tiles.set(number, new Tile(number, names.get(number) ?? `Guest ${number}`));
  return tiles.get(number);
}

function showSpeaker({ number }) {
  tiles.get(speaker)?.figure.classList.remove('speaks');
  speaker = number;
  tiles.get(speaker)?.figure.classList.add('speaks');
}

function showLayers(message) {
  const tile = tileOf(message.number);
  tile.layers = message;
  tile.note.textContent = message.height ? ` ${message.height}p` : ' paused';
}

function say(number, text) {
  const line = document.createElement('p');
  const who = document.createElement('b');
  who.textContent = number === room.number ? 'You' : names.get(number) ?? `Guest ${number}`;
  line.append(who, ` ${text}`);
  $('#log').append(line);
  $('#log').scrollTop = $('#log').scrollHeight;
}

/// A button that turns our tracks of a kind off and on.
function addSwitch(button, stream, kind) {
  const tracks = stream.getTracks().filter(track => track.kind === kind);
  button.hidden = tracks.length === 0;
  button.onclick = () => {
    const off = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', off);
    for (const track of tracks) track.enabled = !off;
  };
}

async function showOurselves() {
  if (wanted.has('watch')) return;
  const height = Number(wanted.get('height')) || 720;
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: height * 16 / 9, height } });
  room.send(stream);
  window.ourStream = stream;
}

async function join(name) {
  $('#join').hidden = true;
  $('#status').textContent = 'Joining';
  await showOurselves();
  await room.join(roomName, name);
  if (window.ourStream) {
    const own = new Tile(room.number, 'You');
    own.video.muted = true;
    own.video.srcObject = window.ourStream;
    own.figure.classList.add('own');
    tiles.set(room.number, own);
    for (const kind of ['audio', 'video']) addSwitch($(`#${kind}`), window.ourStream, kind);
  }
  $('#tools').hidden = false;
}

room.addEventListener('members', ({ detail }) => showMembers(detail));
room.addEventListener('track', ({ detail }) => tileOf(detail.number).add(detail.track));
room.addEventListener('layers', ({ detail }) => showLayers(detail));
room.addEventListener('speaker', ({ detail }) => showSpeaker(detail));
room.addEventListener('chat', ({ detail }) => say(detail.number, detail.text));
room.addEventListener('end', () => { $('#status').textContent = 'You are no longer in the room'; });
room.channel.addEventListener('open', () => {
  if (wanted.has('limit')) room.tell({ type: 'limit', kbps: Number(wanted.get('limit')) });
});
addEventListener('pagehide', () => room.leave());

$('#limit').onchange = ({ target }) => room.tell({ type: 'limit', kbps: Number(target.value) });
$('#chat').onsubmit = event => {
  event.preventDefault();
  const text = $('#text').value.trim();
  if (text) room.tell({ type: 'chat', text });
  $('#text').value = '';
};
const fail = error => {
  $('#status').textContent = error.message;
  $('#join').hidden = false;
};
$('#join').onsubmit = event => {
  event.preventDefault();
  join($('#name').value.trim()).catch(fail);
};
$('#roomName').textContent = roomName;
Object.assign(window, { room, tiles });
if (wanted.has('name')) join(wanted.get('name')).catch(fail);

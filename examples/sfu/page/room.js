// Everybody in the room: one connection sends our camera (three simulcast encodings), one for each other member receives
// theirs. Signaling is JSON over HTTP (main.cc tells the requests); descriptions carry all candidates.
const grid = document.querySelector('#grid');
const status = document.querySelector('#status');
const views = new Map(); // member's number: { pc, figure, video, caption }
let path;

async function post(where, body = {}) {
  const response = await fetch(where, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `The server says ${response.status}.`);
  return answer;
}

async function negotiate(pc, where) {
  await pc.setLocalDescription();
  await new Promise(done => {
    const look = () => pc.iceGatheringState === 'complete' && done();
    pc.onicegatheringstatechange = look;
    look();
  });
  const { sdp } = await post(where, { sdp: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: 'answer', sdp });
}

function addFigure(name) {
  const figure = document.createElement('figure');
  const video = document.createElement('video');
  video.autoplay = video.playsInline = true;
  const caption = document.createElement('figcaption');
  caption.textContent = name;
  figure.append(video, caption);
  grid.append(figure);
  return { figure, video, caption };
}

async function send() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
  const own = addFigure('You');
  own.video.srcObject = stream;
  own.video.muted = true;
  const pc = new RTCPeerConnection();
  for (const track of stream.getAudioTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
  for (const track of stream.getVideoTracks()) {
    const transceiver = pc.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [
        { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
        { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
        { rid: 'f', maxBitrate: 1_500_000 },
      ],
    });
    const codecs = RTCRtpSender.getCapabilities('video').codecs;
    transceiver.setCodecPreferences?.(codecs.filter(c => /VP8|rtx/.test(c.mimeType)));
  }
  window.sending = pc;
  await negotiate(pc, `${path}/publish`);
}

async function watch(number) {
  const view = addFigure(`Member ${number}`);
  const pc = new RTCPeerConnection();
  views.set(number, { ...view, pc });
  const stream = new MediaStream();
  view.video.srcObject = stream;
  pc.ontrack = ({ track }) => stream.addTrack(track);
  for (const kind of ['audio', 'video']) pc.addTransceiver(kind, { direction: 'recvonly' });
  await negotiate(pc, `${path}/watch/${number}`);
  const tellSize = () => post(`${path}/size/${number}`, {
    height: Math.max(90, Math.round(view.figure.clientHeight * devicePixelRatio)),
  }).catch(() => {});
  new ResizeObserver(tellSize).observe(view.figure);
}

async function look() {
  const response = await fetch(path);
  if (!response.ok) throw new Error('You are no longer in the room.');
  const { members } = await response.json();
  status.textContent = members.length === 0 ? 'Nobody else is here' : `${members.length + 1} people`;
  for (const member of members) {
    if (!views.has(member.number)) watch(member.number).catch(error => { status.textContent = error.message; });
    const view = views.get(member.number);
    view.figure.classList.toggle('speaks', member.speaks);
    view.layers = member;
    const size = view.video.videoHeight ? ` ${view.video.videoWidth}x${view.video.videoHeight}` : '';
    view.caption.textContent = `Member ${member.number}${size}`;
  }
  for (const [number, view] of views) {
    if (members.some(member => member.number === number)) continue;
    view.pc.close();
    view.figure.remove();
    views.delete(number);
  }
}

async function run() {
  const { id, number } = await post('/api/members');
  path = `/api/members/${id}`;
  window.number = number;
  window.views = views;
  addEventListener('pagehide', () => navigator.sendBeacon(`${path}/bye`));
  // With ?watch in the address the page only looks.
  if (!new URLSearchParams(location.search).has('watch')) await send();
  for (;;) {
    await look();
    await new Promise(done => setTimeout(done, 1000));
  }
}

run().catch(error => { status.textContent = error.message; });

// A call with the bridge: one request with everything in it, one reply.
const $ = id => document.getElementById(id);
const say = text => { $('status').textContent = text; };

async function call() {
  const pc = new RTCPeerConnection();
  window.pc = pc;
  pc.onconnectionstatechange = () => say(pc.connectionState);
  pc.ontrack = event => { $('remote').srcObject = event.streams[0]; };
  const own = await navigator.mediaDevices?.getUserMedia({ audio: true, video: { width: 640, height: 360 } }).catch(() => null);
  $('local').srcObject = own;
  for (const kind of ['audio', 'video']) {
    const track = own?.getTracks().find(t => t.kind === kind);
    if (track) pc.addTrack(track, own);
    else pc.addTransceiver(kind, { direction: 'recvonly' });
  }
  await pc.setLocalDescription();
  await new Promise(done => {
    pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
    setTimeout(done, 3000);
  });
  const reply = await fetch('/api/calls', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ sdp: pc.localDescription.sdp }),
  });
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error);
  await pc.setRemoteDescription({ type: 'answer', sdp: body.sdp });
}

call().catch(error => say(error.message));

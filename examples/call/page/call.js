// One call to the native peer: signaling over HTTP (server.h tells the requests), then everything goes over one
// RTCPeerConnection. Reports through the callbacks in `on`:
//   state(text)   connecting, connected, reconnecting      track(stream)   what the peer sends
//   message(text) chat                                    end(reason)      once, whoever ended it
export class Call {
  constructor(on) {
    this.on = on;
    this.over = false;
    this.lines = {};
  }

  /// `tracks`: {audio, video}, either may be missing and come later through setTrack.
  async start(tracks) {
    const { id, iceServers } = await this.#post('/api/calls', {});
    this.path = `/api/calls/${id}`;
    this.pc = new RTCPeerConnection({ iceServers });
    const remote = new MediaStream();
    this.pc.ontrack = ({ track }) => {
      remote.addTrack(track);
      this.on.track(remote);
    };
    for (const kind of ['audio', 'video']) {
      this.lines[kind] = this.pc.addTransceiver(tracks[kind] || kind, { direction: 'sendrecv', streams: [new MediaStream()] });
    }
    this.chat = this.pc.createDataChannel('chat');
    this.chat.onmessage = ({ data }) => this.on.message(data);
    this.chat.onclose = () => this.end('The peer hung up');
    // Candidates may be told only after the offer that they belong to.
    let offered;
    const told = new Promise(done => { offered = done; });
    this.pc.onicecandidate = async ({ candidate }) => {
      await told;
      if (candidate && !this.over) this.#post(`${this.path}/candidates`, { candidate }).catch(() => {});
    };
    this.pc.onconnectionstatechange = () => this.#onState();
    this.pc.onnegotiationneeded = () => this.#negotiate().catch(error => this.end('The call failed', error.message));
    await this.#negotiate();
    offered();
    this.#listen();
  }

  async #negotiate() {
    if (this.busy || this.over) return;
    this.busy = true;
    try {
      await this.pc.setLocalDescription();
      const { sdp } = await this.#post(`${this.path}/offer`, { sdp: this.pc.localDescription.sdp });
      if (!this.over) await this.pc.setRemoteDescription({ type: 'answer', sdp });
    } finally {
      this.busy = false;
    }
  }

  #listen() {
    this.events = new EventSource(`${this.path}/events`);
    this.events.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      if (event.candidate) this.pc.addIceCandidate(event.candidate).catch(() => {});
      if (event.bye) this.end('The peer hung up');
    };
  }

  #onState() {
    if (this.over) return;
    const state = this.pc.connectionState;
    clearTimeout(this.patience);
    if (state === 'connected') this.on.state('connected');
    if (state === 'disconnected') {
      this.on.state('reconnecting');
      // The network may have changed: look for a new path.
      this.patience = setTimeout(() => this.pc.restartIce(), 3000);
    }
    if (state === 'failed') this.end('Connection lost', 'No path to the peer answered.');
  }

  setTrack(kind, track) {
    return this.over ? null : this.lines[kind].sender.replaceTrack(track);
  }

  /// False if it cannot be sent now.
  say(text) {
    if (this.over || this.chat.readyState !== 'open') return false;
    this.chat.send(text);
    return true;
  }

  end(title, text = '') {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.patience);
    this.events?.close();
    this.pc?.close();
    // A beacon is sent even while the page goes away.
    if (this.path) navigator.sendBeacon(`${this.path}/bye`);
    this.on.end(title, text);
  }

  async #post(path, body) {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error || `The server says ${response.status}.`);
    return answer;
  }
}

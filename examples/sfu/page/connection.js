// The two connections of a page that is in a room: `up` sends our camera (three simulcast encodings) and has the channel on
// which everything else is agreed; `down` brings what the others send. See member.h for the messages.
/// For a camera of 720 lines, smallest first; others by how much there is to see.
const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_500_000 },
];
const layersOf = height => LAYERS.map(layer => ({ ...layer, maxBitrate: Math.round(layer.maxBitrate * (height / 720) ** 1.5) }));

export class RoomConnection extends EventTarget {
  /// Fires `members`, `layers`, `speaker`, `chat`, `track` (detail: number, track) and `end`.
  constructor() {
    super();
    this.up = new RTCPeerConnection();
    this.down = new RTCPeerConnection();
    this.owners = {}; // of what `down` brings: by mid, the member's number
    this.channel = this.up.createDataChannel('room');
    this.channel.onmessage = ({ data }) => this.#onMessage(JSON.parse(data));
    this.channel.onclose = () => this.#fire('end');
    this.up.onconnectionstatechange = () => this.up.connectionState === 'failed' && this.#fire('end');
    this.down.ontrack = ({ track, transceiver }) => this.#fire('track', { number: this.owners[transceiver.mid], track });
    this.answered = Promise.resolve();
  }

  send(stream) {
    for (const track of stream.getAudioTracks()) this.up.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    for (const track of stream.getVideoTracks()) {
      this.height = track.getSettings().height || 720;
      const sendEncodings = layersOf(this.height);
      const transceiver = this.up.addTransceiver(track, { direction: 'sendonly', streams: [stream], sendEncodings });
      const codecs = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences?.(codecs.filter(codec => /VP8|rtx/.test(codec.mimeType)));
      this.nudging = setInterval(() => this.#nudge(transceiver.sender), 3000);
    }
  }

  /// Chromium holds back the larger encodings when its first measurement of the path came out low, and measures again only
  /// when what it may send changes.
  async #nudge(sender) {
    const held = [...(await sender.getStats()).values()].some(entry => entry.type === 'outbound-rtp' && !entry.framesPerSecond);
    if (!held || this.up.connectionState !== 'connected' || !sender.track?.enabled) return;
    const parameters = sender.getParameters();
    this.part = this.part === 1 ? 0.95 : 1;
    const layers = layersOf(this.height);
    parameters.encodings.forEach((encoding, i) => { encoding.maxBitrate = Math.round(layers[i].maxBitrate * this.part); });
    await sender.setParameters(parameters).catch(() => {});
  }

  async join(room, name) {
    await this.up.setLocalDescription();
    // Two seconds at most: a name server that says nothing is not waited for.
    await Promise.race([
      new Promise(done => setTimeout(done, 2000)),
      new Promise(done => {
        const look = () => this.up.iceGatheringState === 'complete' && done();
        this.up.onicegatheringstatechange = look;
        look();
      }),
    ]);
    const response = await fetch(`/api/rooms/${encodeURIComponent(room)}/members`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, sdp: this.up.localDescription.sdp }),
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error || `The server says ${response.status}.`);
    this.number = answer.number;
    await this.up.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
  }

  tell(message) {
    if (this.channel.readyState === 'open') this.channel.send(JSON.stringify(message));
  }

  leave() {
    clearInterval(this.nudging);
    this.channel.onclose = null;
    this.tell({ type: 'bye' });
    this.up.close();
    this.down.close();
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #onMessage(message) {
    if (message.type === 'offer') {
      // One after the other, in the order they came.
      this.answered = this.answered.then(() => this.#onOffer(message)).catch(() => this.#fire('end'));
    } else {
      this.#fire(message.type, message);
    }
  }

  async #onOffer({ sdp, tracks }) {
    this.owners = tracks;
    await this.down.setRemoteDescription({ type: 'offer', sdp });
    await this.down.setLocalDescription();
    // Without candidates: the server has one port and learns where we are from our checks.
    this.tell({ type: 'answer', sdp: this.down.localDescription.sdp });
  }
}

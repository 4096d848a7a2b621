// Live figures of a call: getStats once a second, drawn as small charts of the last minute.
const LENGTH = 60;
const RECEIVED = '#4f9cf9', SENT = '#35d0a0', RTT = '#f0b429', LOSS = '#f2545b';

class Chart {
  constructor(name, colors, least) {
    const box = document.querySelector(`[data-chart=${name}]`);
    [this.value, this.extra, this.canvas] = ['b', 'small', 'canvas'].map(part => box.querySelector(part));
    this.colors = colors;
    this.least = least;  // the top of the scale is never below: noise near zero shall look small
    this.clear();
  }

  clear() {
    this.series = this.colors.map(() => []);
    this.value.textContent = this.extra.textContent = '';
    this.draw();
  }

  add(values, text, extra = '') {
    this.series.forEach((s, i) => {
      s.push(values[i]);
      if (s.length > LENGTH) s.shift();
    });
    this.value.textContent = text;
    this.extra.textContent = extra;
    this.draw();
  }

  draw() {
    const { canvas } = this, scale = devicePixelRatio;
    const w = (canvas.width = canvas.clientWidth * scale), h = (canvas.height = canvas.clientHeight * scale);
    const g = canvas.getContext('2d');
    const top = Math.max(this.least, ...this.series.flat()) * 1.1;
    this.series.forEach((s, i) => {
      if (s.length < 2) return;
      const x = n => ((LENGTH - s.length + n) / (LENGTH - 1)) * w;
      g.beginPath();
      s.forEach((v, n) => g.lineTo(x(n), h - 1.5 * scale - (v / top) * (h - 3 * scale)));
      g.lineWidth = 1.7 * scale;
      g.lineJoin = 'round';
      g.strokeStyle = this.colors[i];
      g.stroke();
      g.lineTo(w, h);
      g.lineTo(x(0), h);
      const fade = g.createLinearGradient(0, 0, 0, h);
      fade.addColorStop(0, `${this.colors[i]}40`);
      fade.addColorStop(1, `${this.colors[i]}00`);
      g.fillStyle = fade;
      g.fill();
    });
  }
}

const rateText = kbps => (kbps >= 1000 ? `${(kbps / 1000).toFixed(2)} Mb/s` : `${kbps.toFixed(0)} kb/s`);
/// Browsers spell the SRTP profiles in different ways.
const cipherText = name => name && (name.includes('GCM') ? 'SRTP with AES-GCM' : 'SRTP with AES-CM');

function place(candidate) {
  const host = candidate.address?.includes(':') ? `[${candidate.address}]` : candidate.address || 'hidden';
  return `${candidate.candidateType} ${host}:${candidate.port}`;
}

/// What one report says, as numbers that only grow.
function read(stats) {
  const now = { time: performance.now(), in: 0, out: 0, framesIn: 0, framesOut: 0, lost: 0, packets: 0 };
  for (const s of stats.values()) {
    if (s.type === 'inbound-rtp') {
      now.in += s.bytesReceived || 0;
      now.lost += s.packetsLost || 0;
      now.packets += s.packetsReceived || 0;
      if (s.kind === 'video') {
        now.framesIn = s.framesDecoded || 0;
        now.video = s;
      }
    } else if (s.type === 'outbound-rtp') {
      now.out += s.bytesSent || 0;
      if (s.kind === 'video') now.framesOut = s.framesEncoded || 0;
    } else if (s.type === 'transport') {
      now.transport = s;
      now.pair = stats.get(s.selectedCandidatePairId);
    }
  }
  // Firefox has no transport statistics.
  if (!now.pair) now.pair = [...stats.values()].find(s => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
  return now;
}

export class Dashboard {
  constructor() {
    this.rate = new Chart('rate', [RECEIVED, SENT], 200);
    this.fps = new Chart('fps', [RECEIVED, SENT], 10);
    this.rtt = new Chart('rtt', [RTT], 5);
    this.loss = new Chart('loss', [LOSS], 2);
  }

  clear() {
    this.last = null;
    for (const chart of [this.rate, this.fps, this.rtt, this.loss]) chart.clear();
  }

  /// Returns the size of the peer's picture, if there is one.
  async update(pc) {
    const stats = await pc.getStats();
    const now = read(stats), last = this.last;
    this.last = now;
    this.#words(stats, now);
    if (last) {
      const seconds = (now.time - last.time) / 1000;
      const kbpsIn = ((now.in - last.in) * 8) / seconds / 1000, kbpsOut = ((now.out - last.out) * 8) / seconds / 1000;
      this.rate.add([kbpsIn, kbpsOut], rateText(kbpsIn), `sent ${rateText(kbpsOut)}`);
      const fpsIn = (now.framesIn - last.framesIn) / seconds, fpsOut = (now.framesOut - last.framesOut) / seconds;
      this.fps.add([fpsIn, fpsOut], `${fpsIn.toFixed(0)} fps`, `sent ${fpsOut.toFixed(0)}`);
      const lost = Math.max(0, now.lost - last.lost), all = now.packets - last.packets + lost;
      const percent = all > 0 ? (100 * lost) / all : 0;
      this.loss.add([percent], `${percent.toFixed(1)} %`);
      const rtt = now.pair?.currentRoundTripTime;
      if (rtt !== undefined) this.rtt.add([rtt * 1000], `${(rtt * 1000).toFixed(rtt < 0.01 ? 1 : 0)} ms`);
    }
    return now.video?.frameWidth ? `${now.video.frameWidth}x${now.video.frameHeight}` : '';
  }

  #words(stats, { pair, transport, video }) {
    const set = (id, text) => {
      const node = document.getElementById(id);
      node.textContent = node.title = text || '-';
    };
    const local = stats.get(pair?.localCandidateId), remote = stats.get(pair?.remoteCandidateId);
    if (local && remote) set('path', `${local.candidateType} to ${place(remote)} (${remote.protocol})`);
    const codecs = [...stats.values()].filter(s => s.type === 'inbound-rtp').map(s => stats.get(s.codecId)?.mimeType.split('/')[1]);
    set('media', [...codecs.filter(Boolean), video?.frameWidth && `${video.frameWidth}x${video.frameHeight}`].filter(Boolean).join(', '));
    const tls = { FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3' }[transport?.tlsVersion];
    set('security', transport ? [tls, cipherText(transport.srtpCipher)].filter(Boolean).join(', ') : 'DTLS-SRTP');
  }
}

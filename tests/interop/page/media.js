// Sources of tracks, and what is measured of received ones.
import { analyse, drawNumber, lumaOf, noiseLevels, readNumber, toBase64 } from './content.js';

const SOURCE_FRAMES_KEPT = 120;
const sleep = ms => new Promise(done => setTimeout(done, ms));

/// Numbered noise, in blocks of 4x2: what an encoder makes of it grows with the rate that it may use, as of a busy
/// scene, so that no path is too fast for it. Nothing is remembered.
class NoiseSource {
  constructor({ width, height, fps }) {
    this.canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = this.canvas.getContext('2d');
    const small = Object.assign(document.createElement('canvas'), { width: width / 4, height: height / 2 });
    const noise = small.getContext('2d');
    const pixels = noise.createImageData(small.width, small.height);
    const words = new Uint32Array(pixels.data.buffer);
    context.imageSmoothingEnabled = false;
    let number = 0;
    const paint = () => {
      noiseLevels(number, words.length, (i, level) => {
        words[i] = 0xff000000 | (level * 0x010101);
      });
      noise.putImageData(pixels, 0, 0);
      context.drawImage(small, 0, 0, width, height);
      drawNumber(context, width, height, number);
      number = (number + 1) & 0xffffff;
    };
    paint();
    this.timer = setInterval(paint, 1000 / fps);
    this.track = this.canvas.captureStream().getVideoTracks()[0];
  }
}

/// A canvas that draws a numbered picture `fps` times a second and remembers what it drew last.
class NumberedSource {
  constructor({ width, height, fps, draw }) {
    Object.assign(this, { width, height, draw, number: 0, kept: new Map() });
    this.canvas = Object.assign(document.createElement('canvas'), { width, height });
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
    this.paint();
    this.timer = setInterval(() => this.paint(), 1000 / fps);
    this.track = this.canvas.captureStream().getVideoTracks()[0];
  }

  paint() {
    const { context, width, height, number } = this;
    this.draw(context, number);
    drawNumber(context, width, height, number);
    this.kept.set(number, lumaOf(context.getImageData(0, 0, width, height).data));
    this.kept.delete(number - SOURCE_FRAMES_KEPT);
    this.number = (number + 1) & 0xffffff;
  }

  frame(number) {
    const luma = this.kept.get(number);
    if (!luma) throw new Error(`source frame ${number} is not kept`);
    return { number, width: this.width, height: this.height, luma: toBase64(luma) };
  }
}

function drawPattern(width, height, color) {
  return (context, number) => {
    const gradient = context.createLinearGradient(0, 0, width, height);
    const shift = (number % 100) / 100;
    gradient.addColorStop(0, color);
    gradient.addColorStop(shift, '#404850');
    gradient.addColorStop(1, color);
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
    const side = Math.min(width, height) / 6;
    context.fillStyle = '#e8e8e8';
    context.fillRect((number * 3) % (width - side), (number * 2) % (height - side), side, side);
  };
}

async function drawClip(width, height) {
  const video = Object.assign(document.createElement('video'), { src: '/clip', loop: true, muted: true });
  await video.play();
  return context => context.drawImage(video, 0, 0, width, height);
}

/// source: pattern (numbered, moving), clip (numbered film), noise (numbered, changing), tone, or gum (the browser's fake device).
export async function makeSource({ kind, source, width = 640, height = 360, fps = 30, frequency = 440, color = '#2060c0' }) {
  if (kind === 'video' && (source === 'pattern' || source === 'clip')) {
    const draw = source === 'clip' ? await drawClip(width, height) : drawPattern(width, height, color);
    return new NumberedSource({ width, height, fps, draw });
  }
  if (kind === 'video' && source === 'noise') return new NoiseSource({ width, height, fps });
  if (kind === 'audio' && source === 'tone' && !window.fakeMicrophoneIsTone) {
    const audio = new AudioContext();
    await audio.resume();
    const oscillator = audio.createOscillator();
    oscillator.frequency.value = frequency;
    const out = audio.createMediaStreamDestination();
    oscillator.connect(out);
    oscillator.start();
    return { track: out.stream.getAudioTracks()[0] };
  }
  // Processing is off: a tone must arrive as the tone it is.
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const wanted = kind === 'audio' ? { audio: plain } : { video: { width, height, frameRate: fps } };
  return { track: (await navigator.mediaDevices.getUserMedia(wanted)).getTracks()[0] };
}

/// Plays a received track and counts its frames.
export class Sink {
  constructor(track, mid) {
    Object.assign(this, { track, mid, kind: track.kind, frames: 0, sizes: [] });
    this.element = Object.assign(document.createElement(track.kind), { autoplay: true, muted: track.kind === 'video' });
    this.element.srcObject = new MediaStream([track]);
    document.body.append(this.element);
    this.element.play().catch(() => {});
    if (track.kind === 'video') this.count();
  }

  count() {
    const onFrame = (_now, { width, height }) => {
      this.frames++;
      const last = this.sizes.at(-1);
      if (!last || last[0] !== width || last[1] !== height) this.sizes.push([width, height]);
      this.element.requestVideoFrameCallback(onFrame);
    };
    this.element.requestVideoFrameCallback(onFrame);
  }

  close() {
    this.element.srcObject = null;
    this.element.remove();
  }

  async measure() {
    const { mid, kind, track } = this;
    if (kind === 'video') {
      const [width = 0, height = 0] = this.sizes.at(-1) || [];
      return { mid, kind, frames: this.frames, width, height, sizes: this.sizes, muted: track.muted };
    }
    // Recorded and decoded, because a live AudioContext does not run everywhere without a sound card.
    const recorder = new MediaRecorder(new MediaStream([track]));
    const parts = [];
    recorder.ondataavailable = e => parts.push(e.data);
    const stopped = new Promise(done => (recorder.onstop = done));
    recorder.start();
    await sleep(700);
    if (recorder.state !== 'inactive') recorder.stop();
    await stopped;
    const decoder = new OfflineAudioContext(1, 48000, 48000);
    const sound = await decoder.decodeAudioData(await new Blob(parts).arrayBuffer()).catch(() => null);
    const samples = sound ? sound.getChannelData(0).subarray(-16384) : [];
    return { mid, kind, ...analyse(samples, 48000), samples: samples.length, muted: track.muted };
  }

  /// The picture shown now: its luma plane and the number in it.
  async frame() {
    const { width, height, luma } = (await this.decodedLuma().catch(() => null)) || this.drawnLuma();
    return { width, height, number: readNumber(luma, width, height), luma: toBase64(luma) };
  }

  /// The decoder's own plane, without a way through colours and back.
  async decodedLuma() {
    const frame = new VideoFrame(this.element, { timestamp: 0 });
    try {
      if (!/^(I420|NV12)/.test(frame.format || '')) return null;
      const { width, height } = frame.visibleRect;
      const all = new Uint8Array(frame.allocationSize());
      const [{ offset, stride }] = await frame.copyTo(all);
      const luma = new Uint8Array(width * height);
      for (let y = 0; y < height; y++) {
        luma.set(all.subarray(offset + y * stride, offset + y * stride + width), y * width);
      }
      return { width, height, luma };
    } finally {
      frame.close();
    }
  }

  drawn() {
    const { videoWidth: width, videoHeight: height } = this.element;
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    canvas.getContext('2d').drawImage(this.element, 0, 0);
    return canvas;
  }

  drawnLuma() {
    const canvas = this.drawn();
    const { width, height } = canvas;
    return { width, height, luma: lumaOf(canvas.getContext('2d').getImageData(0, 0, width, height).data) };
  }

  png() {
    return this.drawn().toDataURL('image/png').split(',')[1];
  }
}

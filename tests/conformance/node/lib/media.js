'use strict';
// MediaStream, MediaStreamTrack, and devices that are not there: a test picture and a tone.

const { randomUUID } = require('node:crypto');
const rt = require('./idl.js');
const { native, deliver, weakly } = require('./native.js');

// --- tracks --------------------------------------------------------------------------------------

// One wrapper per track, however the library hands it out.
const wrappers = new Map();
const forget = new FinalizationRegistry((id) => {
  if (!wrappers.get(id)?.deref()) wrappers.delete(id);
});

class Track {
  constructor(handle, details = {}) {
    this.native = handle;
    this.kind = native.trackKind(handle);
    this.id = native.trackId(handle);
    this.label = details.label ?? `remote ${this.kind}`;
    this.settings = details.settings ?? {};
    this.constraints = details.constraints ?? {};
    native.trackListen(handle, weakly(this, 'happened'));
  }

  get enabled() { return native.trackEnabled(this.native); }
  set enabled(value) { native.trackSetEnabled(this.native, value); }
  get muted() { return native.trackMuted(this.native); }
  get readyState() { return native.trackState(this.native); }
  stop() { native.trackStop(this.native); }

  get contentHint() { return native.trackContentHint(this.native); }
  set contentHint(value) { native.trackSetContentHint(this.native, value); }

  clone() {
    const details = { label: this.label, settings: this.settings, constraints: this.constraints };
    return wrapTrack(native.trackClone(this.native), details);
  }

  getSettings() { return { ...this.settings }; }
  getConstraints() { return { ...this.constraints }; }
  getCapabilities() {
    if (this.kind === 'audio') return { deviceId: this.settings.deviceId ?? '', groupId: this.settings.groupId ?? '' };
    return { width: { min: 1, max: 1920 }, height: { min: 1, max: 1080 }, frameRate: { min: 1, max: 60 },
      deviceId: this.settings.deviceId ?? '', groupId: this.settings.groupId ?? '' };
  }
  async applyConstraints(constraints) {
    if (this.readyState === 'live') this.constraints = constraints;
  }

  happened(what) {
    this.wrapper.dispatchEvent(new Event(what));
    if (what === 'ended') for (const stream of streamsOf(this)) stream.noticeActive();
  }
}

function wrapTrack(handle, details) {
  const id = native.trackId(handle);
  const known = wrappers.get(id)?.deref();
  if (known) return known;
  const wrapper = rt.create('MediaStreamTrack', new Track(handle, details));
  wrappers.set(id, new WeakRef(wrapper));
  forget.register(wrapper, id);
  return wrapper;
}

// --- streams -------------------------------------------------------------------------------------

const streams = new Set();
const streamsOf = (track) => [...streams].map((weak) => weak.deref()).filter((stream) => stream?.tracks.has(track.wrapper));

class Stream {
  constructor(wrapper, source) {
    this.wrapper = wrapper;
    this.id = typeof source?.id === 'string' && source.given ? source.id : randomUUID();
    this.tracks = new Set();
    if (source && !source.given) {
      const tracks = rt.isA(source, 'MediaStream') ? rt.of(source).tracks : source;
      for (const track of tracks) this.tracks.add(track);
    }
    streams.add(new WeakRef(this));
  }
  noticeActive() {}
  getTracks() { return [...this.tracks]; }
  getAudioTracks() { return this.getTracks().filter((t) => rt.of(t).kind === 'audio'); }
  getVideoTracks() { return this.getTracks().filter((t) => rt.of(t).kind === 'video'); }
  getTrackById(id) { return this.getTracks().find((t) => rt.of(t).id === id) ?? null; }
  addTrack(track) { this.tracks.add(track); }
  removeTrack(track) { this.tracks.delete(track); }
  get active() { return this.getTracks().some((t) => rt.of(t).readyState === 'live'); }
  clone() { return new rt.interfaces.MediaStream(this.getTracks().map((t) => rt.of(t).clone())); }

  // Not by the page: with an event.
  change(track, added) {
    if (this.tracks.has(track) === added) return;
    if (added) this.tracks.add(track);
    else this.tracks.delete(track);
    this.wrapper.dispatchEvent(new rt.interfaces.MediaStreamTrackEvent(added ? 'addtrack' : 'removetrack', { track }));
  }
}

function remoteStream(id) {
  return rt.create('MediaStream', new Stream(undefined, { given: true, id }));
}

// --- devices -------------------------------------------------------------------------------------

const groupId = 'parley';
const devices = [
  { kind: 'audioinput', deviceId: 'tone', label: 'Tone of 440 Hz' },
  { kind: 'videoinput', deviceId: 'pattern', label: 'Test pattern' },
];

// The value that a constraint asks for, or `usual`. Throws for one that cannot be met.
function wish(constraints, name, usual, most) {
  const given = constraints?.[name];
  const value = typeof given === 'object' && given !== null ? given.exact ?? given.ideal ?? given.max ?? given.min : given;
  const chosen = value === undefined ? usual : Number(value);
  if (typeof given === 'object' && given?.exact !== undefined && !(chosen >= 1 && chosen <= most)) {
    throw new rt.interfaces.OverconstrainedError(name, `${name} cannot be ${value}`);
  }
  return Math.min(Math.max(Math.round(chosen), 1), most);
}

function videoTrack(constraints) {
  const width = wish(constraints, 'width', 640, 1920);
  const height = wish(constraints, 'height', 480, 1080);
  const frameRate = wish(constraints, 'frameRate', 20, 60);
  const settings = { width, height, aspectRatio: width / height, frameRate, resizeMode: 'none', deviceId: 'pattern', groupId };
  return wrapTrack(native.trackFakeVideo(width, height, frameRate), { label: devices[1].label, settings, constraints });
}

function audioTrack(constraints, hz = 440) {
  const settings = { sampleRate: 48000, sampleSize: 16, channelCount: 1, echoCancellation: false, autoGainControl: false,
    noiseSuppression: false, latency: 0.01, deviceId: 'tone', groupId };
  return wrapTrack(native.trackFakeAudio(hz), { label: devices[0].label, settings, constraints });
}

class MediaDevices {
  async enumerateDevices() {
    return devices.map((device) => rt.create('InputDeviceInfo', new DeviceInfo(device)));
  }
  getSupportedConstraints() {
    return { width: true, height: true, aspectRatio: true, frameRate: true, deviceId: true, groupId: true, sampleRate: true,
      sampleSize: true, channelCount: true, echoCancellation: true, autoGainControl: true, noiseSuppression: true, latency: true,
      facingMode: true, resizeMode: true };
  }
  async getUserMedia({ audio, video }) {
    if (!audio && !video) throw new TypeError('getUserMedia: neither audio nor video is asked for');
    const tracks = [];
    if (audio) tracks.push(audioTrack(audio === true ? {} : audio));
    if (video) tracks.push(videoTrack(video === true ? {} : video));
    return new rt.interfaces.MediaStream(tracks);
  }
}

class DeviceInfo {
  constructor({ kind, deviceId, label }) {
    Object.assign(this, { kind, deviceId, label, groupId });
  }
  getCapabilities() {
    return this.kind === 'audioinput' ? { deviceId: this.deviceId, groupId }
      : { width: { min: 1, max: 1920 }, height: { min: 1, max: 1080 }, frameRate: { min: 1, max: 60 }, deviceId: this.deviceId, groupId };
  }
}

// --- what the outside feeds and looks at -----------------------------------------------------------

/// A video track and the function that pushes pictures into it: { width, height, data } with `data` in I420.
function createVideoSource() {
  const handle = native.trackVideo();
  const track = wrapTrack(handle, { label: 'pushed pictures', settings: { deviceId: 'pushed', groupId } });
  const push = ({ width, height, data }) => {
    Object.assign(rt.of(track).settings, { width, height });
    if (rt.of(track).readyState === 'live') native.trackPushVideo(handle, width, height, bytesOf(data));
  };
  return { track, push };
}

/// The same for sound: { sampleRate, channels, data } with `data` an Int16Array, interleaved.
function createAudioSource() {
  const handle = native.trackAudio();
  const track = wrapTrack(handle, { label: 'pushed sound', settings: { deviceId: 'pushed', groupId } });
  const push = ({ sampleRate = 48000, channels = 1, data }) => {
    if (rt.of(track).readyState === 'live') native.trackPushAudio(handle, sampleRate, channels, bytesOf(data));
  };
  return { track, push };
}

const bytesOf = (data) => (ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data);

/// Calls back for every picture of a track; returns how to stop that.
function attachVideoSink(track, callback) {
  const state = rt.of(track);
  return attach(state, 'videoSinks', 'trackSetVideoSink', callback, (width, height, data, timestamp) => ({ width, height, data: new Uint8Array(data), timestamp }));
}
function attachAudioSink(track, callback) {
  const state = rt.of(track);
  return attach(state, 'audioSinks', 'trackSetAudioSink', callback, (sampleRate, channels, data) => ({ sampleRate, channels, data: new Int16Array(data) }));
}
function attach(state, list, setter, callback, make) {
  state[list] ??= new Set();
  if (state[list].size === 0) {
    native[setter](state.native, (...given) => deliver(() => {
      const frame = make(...given);
      for (const sink of state[list]) sink(frame);
    }));
  }
  state[list].add(callback);
  return () => {
    state[list].delete(callback);
    if (state[list].size === 0) native[setter](state.native, null);
  };
}

rt.implement('MediaStream', Stream);

module.exports = { wrapTrack, remoteStream, videoTrack, audioTrack, createVideoSource, createAudioSource, attachVideoSink,
  attachAudioSink, createMediaDevices: () => rt.create('MediaDevices', new MediaDevices()) };

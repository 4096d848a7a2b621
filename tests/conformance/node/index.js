'use strict';
// Parley as a browser shows WebRTC: the interfaces, and what a page's surroundings would have.

const rt = require('./lib/idl.js');
const { interfaces, enums, exposed } = require('./generated/interfaces.js')(rt);

rt.interfaces = interfaces;
require('./lib/values.js');
require('./lib/peer_connection.js');
const media = require('./lib/media.js');
const { native } = require('./lib/native.js');
const { Worker, scripts } = require('./lib/worker.js');

module.exports = {
  interfaces: Object.fromEntries(Object.entries(interfaces).filter(([name]) => exposed[name].includes('Window'))),
  enums,
  Worker,
  scripts,
  mediaDevices: media.createMediaDevices(),
  attachVideoSink: media.attachVideoSink,
  attachAudioSink: media.attachAudioSink,
  createVideoSource: media.createVideoSource,
  createAudioSource: media.createAudioSource,
  useFfmpegCodecs: () => native.useFfmpegCodecs(),
  createFakeVideoTrack: (options = {}) => media.videoTrack(options),
  createFakeAudioTrack: ({ hz = 440 } = {}) => media.audioTrack({}, hz),
};

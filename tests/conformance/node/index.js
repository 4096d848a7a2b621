'use strict';
// Parley as a browser shows WebRTC: the interfaces, and what a page's surroundings would have.

const rt = require('./lib/idl.js');
const { interfaces, enums } = require('./generated/interfaces.js')(rt);

rt.interfaces = interfaces;
require('./lib/values.js');
require('./lib/peer_connection.js');
const media = require('./lib/media.js');

module.exports = {
  interfaces,
  enums,
  mediaDevices: media.createMediaDevices(),
  attachVideoSink: media.attachVideoSink,
  attachAudioSink: media.attachAudioSink,
  createVideoSource: media.createVideoSource,
  createAudioSource: media.createAudioSource,
  createFakeVideoTrack: (options = {}) => media.videoTrack(options),
  createFakeAudioTrack: ({ hz = 440 } = {}) => media.audioTrack({}, hz),
};

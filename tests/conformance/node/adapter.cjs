'use strict';
// What a runner of pages' tests wants (README.md): the globals, navigator.mediaDevices, and ways to feed and watch tracks.

const parley = require('./index.js');

module.exports = {
  globals: parley.interfaces,
  mediaDevices: parley.mediaDevices,
  hooks: {
    videoSink: parley.attachVideoSink,
    audioSink: parley.attachAudioSink,
    createVideoSource: parley.createVideoSource,
    createAudioSource: parley.createAudioSource,
    createAudioTrack: () => parley.createFakeAudioTrack({ hz: 440 }),
  },
};

'use strict';
// What a runner of pages' tests wants (README.md): the globals, navigator.mediaDevices, and ways to feed and watch tracks.

const parley = require('./index.js');

module.exports = {
  // A runner that has workers of its own keeps them; lib/worker_scope.js is what they need inside.
  globals: globalThis.Worker ? parley.interfaces : { ...parley.interfaces, Worker: parley.Worker },
  mediaDevices: parley.mediaDevices,
  hooks: {
    videoSink: parley.attachVideoSink,
    audioSink: parley.attachAudioSink,
    createVideoSource: parley.createVideoSource,
    createAudioSource: parley.createAudioSource,
    scripts: parley.scripts,
    useFfmpegCodecs: parley.useFfmpegCodecs,
    createAudioTrack: () => parley.createFakeAudioTrack({ hz: 440 }),
  },
};

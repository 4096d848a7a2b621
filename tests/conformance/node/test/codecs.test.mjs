// The codecs of FFmpeg, where the build has them; a file of its own, for they stay for the whole process.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, connected, globals, hooks, negotiate, peer, trickle, until } from './support.mjs';

afterEach(cleanUp);
const { RTCRtpReceiver, RTCRtpSender } = globals;
const names = (capabilities) => capabilities.codecs.map((c) => c.mimeType.toLowerCase());

test('codecs of FFmpeg are named, negotiated and used once they are asked for', async (t) => {
  assert.ok(!names(RTCRtpSender.getCapabilities('video')).includes('video/h264'));
  if (!hooks.useFfmpegCodecs()) return t.skip('built without parley::devices');
  const { codecs } = RTCRtpReceiver.getCapabilities('video');
  const known = names(RTCRtpSender.getCapabilities('video'));
  if (!known.includes('video/h264')) return t.skip('this FFmpeg has no H.264');
  assert.ok(known.includes('video/vp8'));
  const a = peer();
  const b = peer();
  trickle(a, b);
  const stream = await capture({ video: { width: 160, height: 120 } });
  a.addTrack(stream.getVideoTracks()[0], stream);
  a.getTransceivers()[0].setCodecPreferences(codecs.filter((c) => /h264/i.test(c.mimeType)));
  let pictures = 0;
  b.ontrack = ({ track }) => hooks.videoSink(track, () => { pictures += 1; });
  await negotiate(a, b);
  await connected(a, b);
  assert.match(b.remoteDescription.sdp, /H264\/90000/);
  assert.doesNotMatch(b.remoteDescription.sdp, /VP8\/90000/);
  await until(() => pictures > 5);
});

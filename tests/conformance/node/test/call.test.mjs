// Two connections of one process, end to end.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { capture, cleanUp, connected, hooks, negotiate, next, peer, trickle, until } from './support.mjs';

afterEach(cleanUp);

test('a message passes between two connections', async () => {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const channel = a.createDataChannel('talk');
  const incoming = next(b, 'datachannel');
  await negotiate(a, b);
  await next(channel, 'open');
  const { channel: other } = await incoming;
  assert.equal(other.label, 'talk');
  channel.send('over there');
  assert.equal((await next(other, 'message')).data, 'over there');
  other.send(new Uint8Array([1, 2, 3]));
  assert.deepEqual(new Uint8Array((await next(channel, 'message')).data), new Uint8Array([1, 2, 3]));
  const ends = Promise.all([next(channel, 'close'), next(other, 'close')]);
  channel.close();
  await ends;
});

test('pictures and sound pass between two connections', async () => {
  const a = peer();
  const b = peer();
  trickle(a, b);
  const stream = await capture({ audio: true, video: { width: 320, height: 240 } });
  for (const track of stream.getTracks()) a.addTrack(track, stream);
  const tracks = {};
  b.ontrack = ({ track, streams }) => {
    assert.equal(streams[0].id, stream.id);
    tracks[track.kind] = track;
  };
  await negotiate(a, b);
  await connected(a, b);
  let picture;
  let loud = false;
  hooks.videoSink(tracks.video, (frame) => { picture = frame; });
  hooks.audioSink(tracks.audio, ({ data }) => { loud ||= data.some((sample) => Math.abs(sample) > 1000); });
  await until(() => picture && loud);
  assert.equal(picture.data.length, picture.width * picture.height * 1.5);
  const types = async () => [...(await a.getStats()).values()].map(({ type }) => type);
  assert.ok((await types()).includes('outbound-rtp'));
  a.close();
  const left = await types();
  assert.ok(left.includes('peer-connection') && !left.some((type) => type.includes('-rtp')));
});

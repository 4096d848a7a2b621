// A dedicated worker, as a page would write one: turns the bytes of frames around behind what packets are made by.
'use strict';
onrtctransform = async ({ transformer }) => {
  const { port, side } = transformer.options;
  let keyFrames = 0;
  let frames = 0;
  port.onmessage = async ({ data }) => {
    try {
      if (data === 'frame') { port.wants = true; return; }
      const result = await transformer[data.call](...data.given);
      port.postMessage({ result: typeof result, keyFrames });
    } catch ({ name }) {
      port.postMessage({ error: name });
    }
  };
  port.postMessage('started');
  const writer = transformer.writable.getWriter();
  for await (const frame of transformer.readable) {
    const bytes = new Uint8Array(frame.data);
    for (let i = 10; i < bytes.length; i++) bytes[i] ^= 0xff;
    frames += 1;
    if (frame instanceof RTCEncodedVideoFrame && frame.type === 'key') keyFrames += 1;
    if (port.wants) {
      port.wants = false;
      postMessage({ side, frame, size: frame.data.byteLength });
    }
    const ssrc = frame.getMetadata().synchronizationSource;
    await writer.write(frame);
    if (frames === 20) port.postMessage({ frames, left: frame.data.byteLength, ssrc });
  }
};
postMessage('ready');

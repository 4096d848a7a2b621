// A dedicated worker that opens with one stream what its page has sealed with another.
'use strict';
onmessage = async ({ data: { raw, keyId, sealed } }) => {
  const key = await crypto.subtle.importKey('raw', raw, 'HKDF', false, ['deriveBits', 'deriveKey']);
  const open = new SFrameDecryptorStream({ cipherSuite: 'AES_128_GCM_SHA256_128' });
  await open.addDecryptionKey(key, keyId);
  open.writable.getWriter().write(sealed);
  const { value } = await open.readable.getReader().read();
  postMessage([...new Uint8Array(value)]);
};

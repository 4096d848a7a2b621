// Numbers of protocol.h.
export const MESSAGE_BYTES = 64 * 1024;
export const WINDOW_BYTES = 32 * 1024 * 1024;
export const ACK_BYTES = 1024 * 1024;
export const ACK_MS = 200;
export const REQUESTS_AHEAD = 64;

export function pieceSize(fileSize) {
  let size = 1024 * 1024;
  while (Math.floor(fileSize / size) > 1023) size *= 2;
  return size;
}

// SPAKE2 (RFC 9382, P-256): what pake.h of the native side does. BigInt does not take the same time for all numbers; who
// could measure that would have to run in this page.
import { Sha256 } from './sha256.js';

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const G = {
  x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
};
// RFC 9382 section 6: points that nobody knows the logarithm of.
const M = decompressed('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = decompressed('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');

function mod(a, n = P) {
  return ((a % n) + n) % n;
}

function power(base, exponent) {
  let out = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % P) if (e & 1n) out = (out * b) % P;
  return out;
}
function inverse(a) {
  return power(a, P - 2n);
}
/// What y * y is on the curve.
function curve(x) {
  return mod(x * x * x - 3n * x + B);
}

function decompressed(hex) {
  const x = BigInt(`0x${hex.slice(2)}`);
  const y = power(curve(x), (P + 1n) / 4n);
  return { x, y: (y & 1n) === BigInt(hex.slice(0, 2)) - 2n ? y : P - y };
}

/// Points are {x, y}, null is the point at infinity.
function add(a, b) {
  if (!a || !b) return a || b;
  if (a.x === b.x && mod(a.y + b.y) === 0n) return null;
  const slope = a.x === b.x ? mod((3n * a.x * a.x - 3n) * inverse(2n * a.y)) : mod((b.y - a.y) * inverse(b.x - a.x));
  const x = mod(slope * slope - a.x - b.x);
  return { x, y: mod(slope * (a.x - x) - a.y) };
}
const negative = a => a && { x: a.x, y: mod(-a.y) };

function times(scalar, point) {
  let out = null;
  for (let p = point, k = scalar; k > 0n; k >>= 1n, p = add(p, p)) if (k & 1n) out = add(out, p);
  return out;
}

const hexOf = point => `04${[point.x, point.y].map(n => n.toString(16).padStart(64, '0')).join('')}`;
const bytesOf = hex => Uint8Array.from(hex.match(/../g) ?? [], pair => parseInt(pair, 16));
const utf8 = text => new TextEncoder().encode(text);

function pointOf(hex) {
  if (!/^04[0-9a-fA-F]{128}$/.test(hex)) return null;
  const x = BigInt(`0x${hex.slice(2, 66)}`);
  const y = BigInt(`0x${hex.slice(66)}`);
  return x < P && y < P && mod(y * y) === curve(x) ? { x, y } : null;
}

/// Parts of bytes, in hexadecimal.
function sha256(...parts) {
  const hash = new Sha256();
  for (const part of parts) hash.update(part);
  return hash.hex();
}
/// RFC 2104; the key has 64 bytes at most.
function hmac(key, ...parts) {
  const padded = new Uint8Array(64);
  padded.set(key);
  const inner = sha256(padded.map(b => b ^ 0x36), ...parts);
  return sha256(padded.map(b => b ^ 0x5c), bytesOf(inner));
}

function withLength(bytes) {
  const out = new Uint8Array(8 + bytes.length);
  new DataView(out.buffer).setUint32(0, bytes.length, true);
  out.set(bytes, 8);
  return out;
}

/// The guest's side; the native program is the host.
export class Pake {
  #w;
  #secret;
  #own;
  #transcript;
  #keys;

  constructor(phrase) {
    const half = n => sha256(utf8('parley-send phrase'), Uint8Array.of(n), utf8(phrase));
    this.#w = mod(BigInt(`0x${half(0)}${half(1)}`), ORDER);
    const random = crypto.getRandomValues(new Uint8Array(48));
    this.#secret = mod(BigInt(`0x${Array.from(random, b => b.toString(16).padStart(2, '0')).join('')}`), ORDER - 1n) + 1n;
    this.#own = add(times(this.#secret, G), times(this.#w, M));
  }

  get share() {
    return hexOf(this.#own);
  }

  /// False: `share` is no point of the curve.
  finish(share) {
    const theirs = pointOf(share);
    const shared = theirs && times(this.#secret, add(theirs, negative(times(this.#w, N))));
    if (!shared) return false;
    const parts = [utf8('parley-send guest'), utf8('parley-send host'), ...[this.#own, theirs, shared].map(p => bytesOf(hexOf(p))),
      bytesOf(this.#w.toString(16).padStart(64, '0'))];
    const joined = parts.map(withLength);
    this.#transcript = joined;
    const ka = bytesOf(sha256(...joined).slice(32));
    const extracted = bytesOf(hmac(new Uint8Array(32), ka));
    this.#keys = bytesOf(hmac(extracted, utf8('ConfirmationKeys'), Uint8Array.of(1)));
    return true;
  }

  /// Authenticates a text of ours.
  mac(text) {
    return hmac(this.#keys.subarray(0, 16), ...this.#transcript, utf8(text));
  }
  /// Whether `given` authenticates a text of the other side's.
  verify(text, given) {
    return given === hmac(this.#keys.subarray(16), ...this.#transcript, utf8(text));
  }
}

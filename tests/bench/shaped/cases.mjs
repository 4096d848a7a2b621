// The shaped paths of side_by_side.mjs. `path` and the settings of `plan` are words of shaped_link.cc; ab is the way of
// the media.

/// A random walk of the rate's logarithm with short fades and one interruption, as on a phone that is carried about.
function cellular(seconds) {
  let state = 20240607;
  const unit = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const normal = () => Array.from({ length: 12 }, unit).reduce((x, y) => x + y) - 6;
  const plan = [];
  let slow = 0;
  let fast = 0;
  for (let t = 0.2; t < seconds; t += 0.2) {
    slow += -slow * (0.2 / 8) + 0.35 * Math.sqrt((2 * 0.2) / 8) * normal();
    fast += -fast * (0.2 / 0.4) + 0.2 * Math.sqrt((2 * 0.2) / 0.4) * 0.7 * normal();
    const handover = t > 25 && t < 25.4;
    const kbps = handover ? 60 : Math.max(150, 1800 * Math.exp(slow + fast));
    plan.push([Number(t.toFixed(1)), `ab.rate=${Math.round(kbps)}`]);
  }
  return plan;
}

/// `picture` (640x360) is what the camera shows, `degradation` ('maintain-resolution') what may be given up of it, `config`
/// what Parley's ends are configured with, `pairs` who calls whom unless the command line says.
export const CASES = {
  'const-1M': { seconds: 30, path: 'delay=25 ab.rate=1000' },
  'const-3M': { seconds: 30, path: 'delay=25 ab.rate=3000' },
  'narrow': { seconds: 30, path: 'delay=25 ab.rate=300 ab.queue=300' },
  'loss-5': { seconds: 30, path: 'delay=50 ab.rate=5000 ab.loss=0.05' },
  'halved': { seconds: 45, path: 'delay=25 ab.rate=2000', plan: [[15, 'ab.rate=1000'], [30, 'ab.rate=2000']] },
  'cellular': { seconds: 45, path: 'delay=30 ab.rate=1800 ab.queue=500', plan: cellular(45) },
  'two-flows': { seconds: 50, path: 'delay=25 ab.rate=3000', starts: [0, 8] },
  // Pictures much too large for the path.
  'narrow-720p': { seconds: 40, path: 'delay=25 ab.rate=300 ab.queue=300', picture: { width: 1280, height: 720 }, degradation: 'maintain-framerate' },
  // A queue that marks early (RFC 9331), and two ends that understand it. Chromium's packets are not ECN-capable: for
  // them it is a queue like any other.
  'ecn': { seconds: 30, path: 'delay=25 ab.rate=3000 ab.mark=10', config: { congestionControl: 'scream' }, pairs: ['chromium-chromium', 'parley-parley'] },
  'wireless': { seconds: 30, path: 'delay=20 ab.rate=4000 ab.jitter=20 ab.loss=0.01 ab.burst=4' },
};

/// What the path could carry between two times, or senders that may send `maxBitrate` each.
export function capacityBytes({ path, plan = [], starts = [0] }, from, to, maxBitrate) {
  const rateOf = words => Number(/ab\.rate=([\d.]+)/.exec(words)?.[1] ?? 0) * 1000;
  const steps = [[0, rateOf(path)], ...plan.map(([at, words]) => [at, rateOf(words)])];
  let bytes = 0;
  for (let t = from; t < to; t += 0.1) {
    const rate = steps.findLast(([at]) => at <= t)[1] || Infinity;
    bytes += (Math.min(rate, maxBitrate * starts.length) * 0.1) / 8;
  }
  return bytes;
}

#include "media/fec_masks.h"

namespace parley::media {
namespace {

void interleave(size_t packets, std::span<rtp::FecMask> out) {
  const size_t k = out.size();
  // The last packet belongs to the last repair packet.
  const size_t shift = k - 1 - (packets - 1) % k;
  for (size_t i = 0; i < packets; ++i) out[(i + shift) % k].set(i);
}

/// The rows of the n-th packet: all pairs of k rows, neighbours first, then single rows, then
/// triples.
void cover(size_t packet, size_t n, std::span<rtp::FecMask> out) {
  const size_t k = out.size();
  // Pairs at distance d are k, but half as many at distance k / 2 if k is even: there the two ends
  // of a pair are the same pair.
  for (size_t d = 1; 2 * d <= k; ++d) {
    const size_t pairs = 2 * d == k ? d : k;
    if (n < pairs) {
      out[n].set(packet);
      out[(n + d) % k].set(packet);
      return;
    }
    n -= pairs;
  }
  if (n < k) {
    out[n].set(packet);
    return;
  }
  n -= k;
  const size_t first = n % k;
  for (const size_t row : {first, (first + 1) % k, (first + 2 + n / k) % k}) out[row].set(packet);
}

}  // namespace

void makeFecMasks(size_t packets, LossPattern pattern, std::span<rtp::FecMask> out) {
  for (rtp::FecMask& mask : out) mask = {};
  const size_t k = out.size();
  if (k == 1 || pattern == LossPattern::Bursts) return interleave(packets, out);
  // What can be told apart by one, two or three rows of k; then it begins again.
  const size_t different = k * (k - 1) / 2 + k + (k > 2 ? k : 0);
  for (size_t i = 0; i < packets; ++i) cover(i, i % different, out);
}

}  // namespace parley::media

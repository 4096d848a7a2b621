#include "media/audio_redundancy.h"

#include <algorithm>

#include "parley/base/inline_vector.h"
#include "parley/rtp/payload_format/red.h"

namespace parley::media {
namespace {

/// Opus in discontinuous transmission (RFC 6716 section 2.1.9); other codecs have no frame as
/// small.
constexpr size_t kSilence = 2;
constexpr size_t kBlockHeader = 4;
constexpr size_t kPrimaryHeader = 1;

}  // namespace

void AudioRedundancy::remember(uint32_t timestamp, ByteSpan frame) {
  if (frame.size() <= kSilence || frame.size() > rtp::RedBlock::kMaxSize) return;
  Frame& slot = frames_[next_];
  slot.timestamp = timestamp;
  slot.data.assign(frame.begin(), frame.end());
  next_ = (next_ + 1) % kMaxCopies;
  count_ = std::min(count_ + 1, kMaxCopies);
}

size_t AudioRedundancy::write(uint8_t payloadType, uint32_t timestamp, ByteSpan frame,
                              size_t copies, MutableByteSpan out) const {
  InlineVector<rtp::RedBlock, kMaxCopies + 1> blocks;
  size_t size = kPrimaryHeader + frame.size();
  size_t taken = 0;
  while (taken < std::min(copies, count_)) {
    const Frame& earlier = newest(taken);
    const uint32_t offset = timestamp - earlier.timestamp;
    size += kBlockHeader + earlier.data.size();
    if (offset == 0 || offset > rtp::RedBlock::kMaxOffset || size > out.size()) break;
    ++taken;
  }
  for (size_t i = taken; i-- > 0;) {
    const Frame& earlier = newest(i);
    blocks.push_back(
        {payloadType, static_cast<uint16_t>(timestamp - earlier.timestamp), earlier.data});
  }
  blocks.push_back({payloadType, 0, frame});
  return rtp::writeRed({blocks.data(), blocks.size()}, out);
}

}  // namespace parley::media

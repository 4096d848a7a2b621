#include "parley/rtp/payload_format/h265_nalu.h"

#include "rtp/payload_format/bit_reader.h"
#include "rtp/payload_format/coded_size.h"
#include "rtp/payload_format/rbsp.h"

namespace parley::rtp {
namespace {

// profile_tier_level( 1, maxSubLayersMinus1 ), section 7.3.3: of known length but for the
// sublayers.
void skipProfileTierLevel(BitReader& r, uint32_t maxSubLayersMinus1) {
  r.skip(88 + 8);
  bool hasProfile[8] = {};
  bool hasLevel[8] = {};
  for (uint32_t i = 0; i < maxSubLayersMinus1; ++i) {
    hasProfile[i] = r.bit() != 0;
    hasLevel[i] = r.bit() != 0;
  }
  if (maxSubLayersMinus1 > 0) r.skip(2 * (8 - size_t{maxSubLayersMinus1}));
  for (uint32_t i = 0; i < maxSubLayersMinus1; ++i) {
    if (hasProfile[i]) r.skip(88);
    if (hasLevel[i]) r.skip(8);
  }
}

}  // namespace

std::optional<VideoSize> parseH265SpsSize(ByteSpan sps) {
  const Rbsp rbsp(sps);
  BitReader r(rbsp.bytes());
  r.skip(7);
  if (r.bits(6) != 0) return std::nullopt;  // upper layers say it otherwise (annex F)
  r.skip(3);
  r.skip(4);  // sps_video_parameter_set_id
  const uint32_t maxSubLayersMinus1 = r.bits(3);
  if (maxSubLayersMinus1 > 6) return std::nullopt;
  r.skip(1);
  skipProfileTierLevel(r, maxSubLayersMinus1);
  r.ue();  // sps_seq_parameter_set_id
  const uint32_t chroma = r.ue();
  if (chroma > 3) return std::nullopt;
  if (chroma == 3) r.skip(1);
  const uint64_t width = r.ue();
  const uint64_t height = r.ue();
  uint64_t cropX = 0;
  uint64_t cropY = 0;
  if (r.bit() != 0) {
    const uint64_t unitX = chroma == 1 || chroma == 2 ? 2 : 1;
    const uint64_t unitY = chroma == 1 ? 2 : 1;
    cropX = (uint64_t{r.ue()} + r.ue()) * unitX;
    cropY = (uint64_t{r.ue()} + r.ue()) * unitY;
  }
  if (!r.ok() || cropX >= width || cropY >= height) return std::nullopt;
  return codedSize(width, height, cropX, cropY);
}

}  // namespace parley::rtp

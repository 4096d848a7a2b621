#include "parley/rtp/payload_format/h264_nalu.h"

#include "rtp/payload_format/bit_reader.h"
#include "rtp/payload_format/coded_size.h"
#include "rtp/payload_format/rbsp.h"

namespace parley::rtp {

void findNalus(ByteSpan annexB, std::vector<NaluRange>& out) {
  out.clear();
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t start = kNone;
  auto close = [&](size_t end) {
    // Zeros before a start code are its fourth byte or trailing_zero_8bits (Annex B.1).
    while (end > start && annexB[end - 1] == 0) --end;
    if (end > start) out.push_back({start, end - start});
  };
  size_t i = 0;
  while (i + 3 <= annexB.size()) {
    if (annexB[i + 2] > 1) {
      i += 3;
    } else if (annexB[i] == 0 && annexB[i + 1] == 0 && annexB[i + 2] == 1) {
      if (start != kNone) close(i);
      i += 3;
      start = i;
    } else {
      ++i;
    }
  }
  if (start != kNone) close(annexB.size());
}

namespace {

void skipScalingList(BitReader& r, int entries) {
  int64_t last = 8;
  int64_t next = 8;
  for (int i = 0; i < entries && r.ok(); ++i) {
    if (next != 0) next = (last + r.se() + 256) % 256;
    last = next == 0 ? last : next;
  }
}

bool hasChromaFormat(uint32_t profile) {
  switch (profile) {
    case 100:
    case 110:
    case 122:
    case 244:
    case 44:
    case 83:
    case 86:
    case 118:
    case 128:
    case 138:
    case 139:
    case 134:
    case 135:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<VideoSize> parseH264SpsSize(ByteSpan sps) {
  const Rbsp rbsp(sps);
  BitReader r(rbsp.bytes());
  r.skip(8);  // NAL header
  const uint32_t profile = r.bits(8);
  r.skip(16);  // constraints, level
  r.ue();      // seq_parameter_set_id
  uint32_t chroma = 1;
  if (hasChromaFormat(profile)) {
    chroma = r.ue();
    if (chroma > 3) return std::nullopt;
    if (chroma == 3) r.skip(1);
    r.ue();
    r.ue();
    r.skip(1);
    if (r.bit()) {
      for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i) {
        if (r.bit()) skipScalingList(r, i < 6 ? 16 : 64);
      }
    }
  }
  r.ue();  // log2_max_frame_num_minus4
  const uint32_t orderType = r.ue();
  if (orderType == 0) {
    r.ue();
  } else if (orderType == 1) {
    r.skip(1);
    r.se();
    r.se();
    const uint32_t cycle = r.ue();
    if (cycle > 255) return std::nullopt;
    for (uint32_t i = 0; i < cycle; ++i) r.se();
  }
  r.ue();     // max_num_ref_frames
  r.skip(1);  // gaps_in_frame_num_value_allowed_flag
  const uint64_t widthMbs = uint64_t{r.ue()} + 1;
  const uint64_t heightUnits = uint64_t{r.ue()} + 1;
  const uint64_t fieldFactor = r.bit() ? 1 : 2;  // frame_mbs_only_flag
  if (fieldFactor == 2) r.skip(1);
  r.skip(1);  // direct_8x8_inference_flag
  uint64_t cropX = 0;
  uint64_t cropY = 0;
  if (r.bit()) {
    const uint64_t unitX = chroma == 1 || chroma == 2 ? 2 : 1;
    const uint64_t unitY = (chroma == 1 ? 2 : 1) * fieldFactor;
    cropX = (uint64_t{r.ue()} + r.ue()) * unitX;
    cropY = (uint64_t{r.ue()} + r.ue()) * unitY;
  }
  const uint64_t width = widthMbs * 16;
  const uint64_t height = heightUnits * 16 * fieldFactor;
  if (!r.ok() || cropX >= width || cropY >= height) return std::nullopt;
  return codedSize(width, height, cropX, cropY);
}

}  // namespace parley::rtp

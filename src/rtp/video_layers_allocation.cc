#include "parley/rtp/extensions/video_layers_allocation.h"

#include <algorithm>
#include <array>

#include "parley/rtp/payload_format/av1_obu.h"

// The layout: RID (2 bits), number of streams - 1 (2), bitmask of spatial layers if all streams
// have the same (4, else 0 and four bits for each stream, padded); two bits for each layer with the
// number of temporal layers - 1, padded; a leb128 rate for each temporal layer; and, if told, five
// octets of size and frame rate for each spatial layer.

namespace parley::rtp {
namespace {

constexpr size_t kStreams = 4;
using Masks = std::array<uint8_t, kStreams>;

/// Calls visit(stream, spatial) for each layer there is.
template <class Visit>
void visitLayers(const Masks& masks, Visit visit) {
  for (uint8_t stream = 0; stream < kStreams; ++stream) {
    for (uint8_t spatial = 0; spatial < 4; ++spatial) {
      if (masks[stream] >> spatial & 1) visit(stream, spatial);
    }
  }
}

bool readMasks(ByteReader& r, uint8_t first, Masks& out) {
  const size_t streams = (first >> 4 & 3) + 1u;
  const uint8_t shared = first & 15;
  if (shared != 0) {
    std::fill_n(out.begin(), streams, shared);
    return true;
  }
  for (size_t i = 0; i < streams; i += 2) {
    const uint8_t two = r.u8();
    out[i] = two >> 4;
    if (i + 1 < streams) out[i + 1] = two & 15;
  }
  return r.ok();
}

bool readSizes(ByteReader& r, VideoLayersAllocationValue& out) {
  if (r.remaining() != out.layers.size() * 5) return false;
  for (auto& layer : out.layers) {
    const uint32_t width = r.u16() + 1u;
    const uint32_t height = r.u16() + 1u;
    if (width > 0xffff || height > 0xffff) return false;
    layer.size = {static_cast<uint16_t>(width), static_cast<uint16_t>(height)};
    layer.framerate = r.u8();
  }
  return true;
}

}  // namespace

std::optional<VideoLayersAllocationValue> VideoLayersAllocation::parse(ByteSpan bytes) {
  ByteReader r(bytes);
  const uint8_t first = r.u8();
  if (!r.ok()) return std::nullopt;
  VideoLayersAllocationValue out;
  // One octet of zero: all layers are off.
  if (bytes.size() == 1 && first == 0) return out;
  out.stream = first >> 6;
  Masks masks{};
  if (!readMasks(r, first, masks)) return std::nullopt;
  visitLayers(masks, [&](uint8_t stream, uint8_t spatial) {
    VideoLayersAllocationValue::Layer layer;
    layer.stream = stream;
    layer.spatial = spatial;
    out.layers.push_back(layer);
  });
  std::array<size_t, 16> temporal{};
  for (size_t i = 0; i < out.layers.size(); i += 4) {
    const uint8_t four = r.u8();
    for (size_t j = i; j < std::min(i + 4, out.layers.size()); ++j)
      temporal[j] = (four >> (6 - 2 * (j - i)) & 3) + 1u;
  }
  for (size_t i = 0; i < out.layers.size(); ++i) {
    for (size_t t = 0; t < temporal[i]; ++t) {
      const auto rate = readLeb128(r);
      if (!rate) return std::nullopt;
      out.layers[i].rates.push_back(*rate);
    }
  }
  if (!r.ok() || (!r.atEnd() && !readSizes(r, out))) return std::nullopt;
  return out;
}

size_t VideoLayersAllocation::write(const Value& value, uint8_t* out) {
  ByteWriter w(MutableByteSpan(out, kMaxSize));
  if (value.layers.empty()) {
    w.u8(0);
    return w.size();
  }
  Masks masks{};
  int last = -1;
  size_t streams = value.stream + size_t{1};
  bool sized = true;
  for (const auto& layer : value.layers) {
    const int place = layer.stream * 4 + layer.spatial;
    if (layer.stream >= kStreams || layer.spatial > 3 || place <= last || layer.rates.empty())
      return 0;
    last = place;
    masks[layer.stream] = static_cast<uint8_t>(masks[layer.stream] | 1 << layer.spatial);
    streams = std::max(streams, layer.stream + size_t{1});
    sized = sized && layer.size.width > 0 && layer.size.height > 0;
  }
  if (streams > kStreams) return 0;
  const bool shared = std::all_of(masks.begin(), masks.begin() + static_cast<ptrdiff_t>(streams),
                                  [&](uint8_t mask) { return mask == masks[0]; });
  w.u8(static_cast<uint8_t>(value.stream << 6 | (streams - 1) << 4 | (shared ? masks[0] : 0)));
  for (size_t i = 0; !shared && i < streams; i += 2)
    w.u8(static_cast<uint8_t>(masks[i] << 4 | (i + 1 < streams ? masks[i + 1] : 0)));
  for (size_t i = 0; i < value.layers.size(); i += 4) {
    size_t four = 0;
    for (size_t j = i; j < std::min(i + 4, value.layers.size()); ++j)
      four |= (value.layers[j].rates.size() - 1) << (6 - 2 * (j - i));
    w.u8(static_cast<uint8_t>(four));
  }
  for (const auto& layer : value.layers) {
    for (uint32_t rate : layer.rates) writeLeb128(rate, w);
  }
  for (const auto& layer : value.layers) {
    if (!sized) break;
    w.u16(static_cast<uint16_t>(layer.size.width - 1));
    w.u16(static_cast<uint16_t>(layer.size.height - 1));
    w.u8(layer.framerate);
  }
  return w.ok() ? w.size() : 0;
}

}  // namespace parley::rtp
